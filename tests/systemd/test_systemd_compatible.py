"""What a job may do under a hardening profile, beside what a shell of the service's user may, on the same machine.

The shell is started as a login's is: by a service that runs as root and becomes the user by PAM. One that the tests
start themselves would have the limits of those who started the tests, from outside of the machine.

The throw-away machine is poorer than a real one: few devices, no setting of the kernel can be written, nobody is logged
in. That is the same for both; what a profile takes is made for these tests where it isn't there (a device, a neighbour,
a setuid program), and what must be possible is looked for as such, not just as the same. Its network is the host's.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from machine import CONFIG, HOME, QUEUECTL, UNITS, Machine, booted
from real_home import until

PROFILES = ("compatible", "strict")
PYTHON = os.path.realpath(sys.executable)
HERE = Path(__file__).parent
PROBES = "/usr/local/lib/probes.py"

CONFIGURATION = """\
service: {user: queuectl}
pools:
  default: {workers: 0}
  compatible: {workers: 1, queues: [compatible]}
  strict: {workers: 1, queues: [strict], hardening: strict}
"""

# As Docker's own, with an echo for a daemon.
DOCKER_SOCKET = """\
[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker
Accept=yes
"""
TCP_SOCKET = """\
[Socket]
ListenStream=127.0.0.1:{port}
ListenStream=[::1]:{port}
FreeBind=yes
Accept=yes
"""
ECHO = """\
[Service]
ExecStart=/bin/cat
StandardInput=socket
"""

CAP_NET_RAW = 13
# Writes a word where every process can attach it by its key.
SHARE = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
ctypes.memmove(libc.shmat(libc.shmget(int(sys.argv[1]), 4096, 0o1666), None, 0), b"shared", 7)
"""

# Writes its port down when it listens, and serves one.
LISTEN = """
import os, socket, sys
door = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + "~", "w") as file:
    file.write(str(door.getsockname()[1]))
os.rename(sys.argv[1] + "~", sys.argv[1])
door.accept()[0].sendall(b"served")
"""


class Seen(NamedTuple):
    """What the probes found, by probe."""

    shell: dict[str, str]
    compatible: dict[str, str]
    strict: dict[str, str]


def serve(machine: Machine) -> int:
    """Have docker's socket, and a port on the network that is everybody's; the port."""
    machine.write(f"{UNITS}/docker.socket", DOCKER_SOCKET)
    machine.write(f"{UNITS}/docker@.service", ECHO)
    machine.write(f"{UNITS}/echo@.service", ECHO)
    for port in range(20000 + os.getpid() % 1000, 30000, 100):  # below those that the kernel gives away
        machine.write(f"{UNITS}/echo.socket", TCP_SOCKET.format(port=port))
        machine.run("systemctl", "daemon-reload")
        if machine.code("systemctl", "start", "docker.socket", "echo.socket") == 0:
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as made:
        yield made


@pytest.fixture(scope="module")
def given(machine: Machine) -> dict[str, object]:
    """What the probes need: a user who may, and things to be found."""
    machine.sh(f"""
        useradd --system --user-group --home-dir {HOME} queuectl
        groupadd --force docker; groupadd media; usermod --append --groups docker,media queuectl
        echo 127.0.1.1 "$(hostname)" >> /etc/hosts
        mkdir -p /etc/sudoers.d
        echo 'queuectl ALL=(root) NOPASSWD: /usr/bin/id' > /etc/sudoers.d/queuectl; chmod 440 /etc/sudoers.d/queuectl
        install -m 4755 /usr/bin/id /usr/local/bin/setuid-id
        install -m 755 /bin/grep /usr/local/bin/capable-grep
        install -d -o queuectl /srv/theirs
        install -d -m 1777 /home/neighbour
        mknod -m 666 /dev/unusual c 1 3
        runuser -u games -- sh -c 'echo from without > /tmp/without'
        systemd-run --quiet --unit=neighbour --uid=queuectl sleep infinity
    """)
    capability = struct.pack("<5I", 0x02000001, 1 << CAP_NET_RAW, 0, 0, 0)
    script = "import os, sys; os.setxattr(sys.argv[1], 'security.capability', bytes.fromhex(sys.argv[2]))"
    machine.run(PYTHON, "-c", script, "/usr/local/bin/capable-grep", capability.hex())
    machine.run(PYTHON, "-c", SHARE, "4711")
    machine.write(PROBES, (HERE / "probes.py").read_text())
    return {
        "setuid": "/usr/local/bin/setuid-id",
        "capable": "/usr/local/bin/capable-grep",
        "temporary": "/tmp/without",
        "key": 4711,
        "port": serve(machine),
        "theirs": "/srv/theirs",
        "open_home": "/home/neighbour",
        "device": "/dev/unusual",
        "neighbour": int(machine.show("neighbour", "MainPID")["MainPID"]),
    }


def shell(machine: Machine, user: str, *argv: str, code: int | None = 0) -> str:
    """Run a command in a login's shell."""
    login = ["runuser", "--login", "--shell", "/bin/sh", user, "-c", f"cd /; exec {shlex.join(argv)}"]
    return machine.run("systemd-run", "--quiet", "--pipe", "--wait", "--collect", *login, code=code, timeout=120)


@pytest.fixture(scope="module")
def seen(machine: Machine, given: dict[str, object]) -> Seen:
    machine.write(CONFIG, CONFIGURATION)
    # Where these sources lie in /tmp, a private one would hide the program too.
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(QUEUECTL)))
    machine.write(f"{UNITS}/queuectl-strict@.service.d/sources.conf", f"[Service]\nBindReadOnlyPaths={checkout}\n")
    machine.queuectl("service", "install")

    def argv(name: str) -> list[str]:
        return [PYTHON, PROBES, json.dumps({**given, "mine": f"/tmp/{name}"})]

    found = [json.loads(shell(machine, "queuectl", *argv("shell")))]
    for profile in PROFILES:
        job = machine.enqueue(*argv(profile), options=("--queue", profile, "--max-retries", "0"))
        assert machine.wait_job(job, "completed", 120)["worker"] == f"{profile}-0"
        found.append(json.loads(machine.queuectl("logs", job)))
    return Seen(*found)


POSSIBLE = {
    "identity": "queuectl queuectl docker,media,queuectl",
    "umask": "0022",
    "setuid_program": "0",
    "capable_program": f"CapEff:\t{1 << CAP_NET_RAW:016x}",
    "others_temporary_file": "from without\n",
    "own_temporary_file": "ok",
    "own_variable_temporary_file": "ok",
    "shared_memory": "shared",
    "docker": "hello",
    "docker_where_it_was": "hello",
    "signal_to_a_neighbour": "ok",
    "neighbours_command": "/usr/bin/sleep\0infinity\0",
    "connect_4": "hello",
    "listen_4": "x",
    "netlink": "16",  # RTM_NEWLINK
    "write_home": "ok",
    "write_elsewhere": "ok",
    "write_open_home": "ok",
    "make_setuid": "-rwsr-xr-x",
    "make_fifo": "ok",
    "run_from_home": "ran",
    "run_from_memory": "ran",
    "unusual_device": "ok",
    "terminal": "typed",
    "trace_child": "0",
    "yield_more": "5",
    "schedule_batch": "ok",
    "more_files": "ok",
    "writable_code": "ok",
}

IMPOSSIBLE = {
    "become_root": "EPERM",
    "packet_socket": "EPERM",
    "write_usr": "EACCES",
    "write_etc": "EACCES",
    "make_device": "EPERM",
    "yield_less": "EPERM",
    "schedule_realtime": "EPERM",
    "mount": "EPERM",
    "hostname": "EPERM",
    "chroot": "EPERM",
    "clock": "EPERM",
}

FORBIDDEN = {
    "sudo": {"exit 1", "ENOENT"},
    "capable_program": {f"CapEff:\t{0:016x}"},
    "others_temporary_file": {"ENOENT"},
    "shared_memory": {"ENOENT"},
    "packet_socket": {"EAFNOSUPPORT"},
    "write_elsewhere": {"EROFS"},
    "write_open_home": {"EROFS", "EACCES", "ENOENT"},
    "write_usr": {"EROFS"},
    "write_etc": {"EROFS"},
    "make_setuid": {"EPERM"},
    "unusual_device": {"ENOENT"},
    "trace_child": {"EPERM"},
    "user_namespace": {"EPERM"},
    "mount_of_its_own": {"exit 1"},
    "personality": {"EPERM"},
}
"""What strict says to those that are possible otherwise, or says in another way."""


def test_a_job_can_do_what_a_shell_of_its_user_can(seen: Seen) -> None:
    assert seen.compatible == seen.shell
    # And no more than that.
    assert {name: seen.compatible[name] for name in IMPOSSIBLE} == IMPOSSIBLE


@pytest.mark.parametrize("name", sorted(POSSIBLE))
def test_what_both_can_do(seen: Seen, name: str) -> None:
    assert (seen.shell[name], seen.compatible[name]) == (POSSIBLE[name], POSSIBLE[name])


def test_a_job_becomes_root_by_sudo(seen: Seen) -> None:
    if shutil.which("sudo", path="/usr/bin:/bin") is None:
        pytest.skip("no sudo on this machine: apt-get install sudo")
    assert (seen.shell["sudo"], seen.compatible["sudo"]) == ("0", "0")


def test_tmp_is_everybodys_unless_strict(machine: Machine, seen: Seen) -> None:
    for directory in ("/tmp", "/var/tmp"):
        assert machine.read(f"{directory}/compatible") == machine.read(f"{directory}/shell") == "from within"
        assert machine.code("test", "-e", f"{directory}/strict") == 1


def test_workers_and_jobs_keep_nothing_in_run(machine: Machine, seen: Seen) -> None:
    assert len([pid for pid in machine.workers().values() if pid]) == len(PROFILES)
    assert machine.sh("find /run -user queuectl") == ""


def test_it_is_the_group_that_opens_dockers_socket(machine: Machine, seen: Seen) -> None:
    assert machine.sh("stat --format '%A %U %G' /run/docker.sock") == "srw-rw---- root docker\n"
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/docker.sock')"
    shell(machine, "queuectl", PYTHON, "-c", script)
    shell(machine, "games", PYTHON, "-c", script, code=1)


def test_the_machine_itself_takes_nothing(machine: Machine, seen: Seen) -> None:
    outside = [" ".join(line.split()) for line in Path("/proc/self/status").read_text().splitlines()]
    for name in ("CapBnd:", "NoNewPrivs:", "Seccomp:"):
        (line,) = (line for line in outside if line.startswith(name))
        assert line in seen.shell["status"].split("; ")
    ours = machine.sh("for each in mnt net pid user uts ipc time cgroup; do readlink /proc/1/ns/$each; done")
    assert seen.shell["namespaces"].split() == ours.split()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_port_that_a_job_opens_is_reached_from_outside(machine: Machine, seen: Seen, profile: str) -> None:
    path = f"{HOME}/port-{profile}"
    job = machine.enqueue(PYTHON, "-c", LISTEN, path, options=("--queue", profile, "--max-retries", "0"))
    until(lambda: machine.code("test", "-e", path) == 0, "it listens", 60)
    answer = "import socket, sys; print(socket.create_connection(('127.0.0.1', int(sys.argv[1]))).makefile().read())"
    assert machine.run(PYTHON, "-c", answer, machine.read(path)) == "served\n"
    machine.wait_job(job, "completed", 60)


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_strict_forbids(seen: Seen, name: str) -> None:
    assert seen.strict[name] in FORBIDDEN[name]


def test_in_strict_a_setuid_program_gives_nothing(machine: Machine, seen: Seen) -> None:
    assert seen.strict["setuid_program"] == machine.run("id", "-u", "queuectl").strip()
    assert "NoNewPrivs: 1" in seen.strict["status"]


def test_strict_leaves_all_else_as_it_is(seen: Seen) -> None:
    """The network and the user's groups above all, and with the group docker its socket."""
    named = {*FORBIDDEN, "setuid_program", "status", "namespaces"}
    assert {name: found for name, found in seen.strict.items() if name not in named} == {
        name: found for name, found in seen.shell.items() if name not in named
    }
    assert seen.strict["docker"] == "hello"
