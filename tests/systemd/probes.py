"""What whoever runs this can do on the machine; a line of JSON, a word or two for each thing tried.

It is run by a job and by a shell, and knows of neither. What it needs of the machine is made by
test_systemd_compatible.py, and stands in the JSON that is its argument.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
given = json.loads(sys.argv[1])
HOME = os.path.expanduser("~")
PTRACE_SEIZE, CLONE_NEWUSER, PER_LINUX32 = 0x4206, 0x10000000, 8
tried: dict[str, Callable[[], object]] = {}


def probe(function: Callable[[], object]) -> Callable[[], object]:
    tried[function.__name__] = function
    return function


def checked(result: int) -> int:
    """What a function of libc returned, unless that is an error."""
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def said(*argv: str) -> str:
    """What a command printed, or how it failed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"exit {done.returncode}"


def in_child(act: Callable[[], object]) -> str:
    """The outcome of something that a process can't take back."""
    near, far = os.pipe()
    if not (child := os.fork()):
        with contextlib.suppress(BaseException):
            os.write(far, outcome(act).encode())
        os._exit(0)
    os.close(far)
    with open(near) as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return found


def outcome(act: Callable[[], object]) -> str:
    try:
        found = act()
        return "ok" if found is None else str(found)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)


def put(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def echo(family: int, address: object) -> str:
    """What the other end of a stream makes of a word."""
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(30)
        stream.connect(address)  # type: ignore[arg-type]
        stream.sendall(b"hello\n")
        stream.shutdown(socket.SHUT_WR)
        return stream.makefile().read().strip()


def by_itself(family: int, host: str) -> str:
    """Listen, connect, and get a word through."""
    with socket.create_server((host, 0), family=family) as door, socket.socket(family) as near:
        near.settimeout(30)
        near.connect(door.getsockname()[:2])
        near.sendall(b"x")
        far, _ = door.accept()
        with far:
            return far.recv(1).decode()


# Who it is, and what the kernel says of it


@probe
def identity() -> str:
    return f"{said('id', '-un')} {said('id', '-gn')} {','.join(sorted(said('id', '-Gn').split()))}"


@probe
def status() -> str:
    names = ("NoNewPrivs", "Seccomp:", "Seccomp_f", "Cap", "SigBlk", "SigIgn", "Groups", "Speculation")
    # Not this process's own: Python ignores a signal or two.
    lines = said("cat", "/proc/self/status").splitlines()
    return "; ".join(" ".join(line.split()) for line in lines if line.startswith(names))


@probe
def limits() -> str:
    # One of them marks the processes of an attempt.
    names = sorted({name for name in dir(resource) if name.startswith("RLIMIT_")} - {"RLIMIT_OFILE", "RLIMIT_RTTIME"})
    return "; ".join(f"{name[7:]} {resource.getrlimit(getattr(resource, name))}" for name in names)


@probe
def priorities() -> str:
    return f"{os.nice(0)} {os.sched_getscheduler(0)} {sorted(os.sched_getaffinity(0))}"


@probe
def namespaces() -> str:
    kinds = ("mnt", "net", "pid", "user", "uts", "ipc", "time", "cgroup")
    return " ".join(os.readlink(f"/proc/self/ns/{kind}") for kind in kinds)


@probe
def umask() -> str:
    return said("sh", "-c", "umask")


# More than one's own privileges


@probe
def sudo() -> str:
    return said("sudo", "-n", "id", "-u")


@probe
def setuid_program() -> str:
    return said(given["setuid"], "-u")


@probe
def capable_program() -> str:
    return said(given["capable"], "CapEff", "/proc/self/status")


@probe
def become_root() -> None:
    os.setuid(0)


# What all share


@probe
def others_temporary_file() -> str:
    with open(given["temporary"]) as file:
        return file.read()


@probe
def own_temporary_file() -> None:
    put(given["mine"], "from within")


@probe
def own_variable_temporary_file() -> None:
    put(given["mine"].replace("/tmp/", "/var/tmp/"), "from within")


@probe
def shared_memory() -> str:
    attach = libc.shmat
    attach.restype = ctypes.c_void_p
    ident = checked(libc.shmget(given["key"], 0, 0))
    return ctypes.string_at(attach(ident, None, 0)).decode()


@probe
def docker() -> str:
    return echo(socket.AF_UNIX, "/run/docker.sock")


@probe
def docker_where_it_was() -> str:
    return echo(socket.AF_UNIX, "/var/run/docker.sock")


@probe
def signal_to_a_neighbour() -> None:
    os.kill(given["neighbour"], 0)


@probe
def neighbours_command() -> str:
    with open(f"/proc/{given['neighbour']}/cmdline") as file:
        return file.read()


# The network


@probe
def connect_4() -> str:
    return echo(socket.AF_INET, ("127.0.0.1", given["port"]))


@probe
def connect_6() -> str:
    return echo(socket.AF_INET6, ("::1", given["port"]))


@probe
def listen_4() -> str:
    return by_itself(socket.AF_INET, "127.0.0.1")


@probe
def listen_6() -> str:
    return by_itself(socket.AF_INET6, "::1")


@probe
def listen_below_1024() -> None:
    socket.create_server(("127.0.0.1", 873)).close()


@probe
def netlink() -> str:
    """The interfaces, as the kernel tells them: the type of its first answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(30)
        link.sendto(bytes([20, 0, 0, 0, 18, 0, 1, 3]) + bytes(12), (0, 0))
        return str(int.from_bytes(link.recv(65536)[4:6], sys.byteorder))


@probe
def packet_socket() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3).close()


# Files


@probe
def write_home() -> None:
    put(f"{HOME}/written", "x")


@probe
def write_elsewhere() -> None:
    put(f"{given['theirs']}/{os.getpid()}", "x")


@probe
def write_open_home() -> None:
    put(f"{given['open_home']}/{os.getpid()}", "x")


@probe
def write_usr() -> None:
    put("/usr/written", "x")


@probe
def write_etc() -> None:
    put("/etc/written", "x")


@probe
def make_setuid() -> str:
    with tempfile.NamedTemporaryFile(dir=HOME) as file:
        os.fchmod(file.fileno(), 0o4755)
        return stat.filemode(os.fstat(file.fileno()).st_mode)


@probe
def make_fifo() -> None:
    with tempfile.TemporaryDirectory(dir=HOME) as directory:
        os.mkfifo(f"{directory}/fifo")


@probe
def make_device() -> None:
    with tempfile.TemporaryDirectory(dir=HOME) as directory:
        os.mknod(f"{directory}/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))


@probe
def run_from_home() -> str:
    path = shutil.copy("/bin/echo", f"{HOME}/run-me")
    return said(path, "ran")


@probe
def run_from_memory() -> str:
    held = os.memfd_create("run-me", 0)
    with open("/bin/echo", "rb") as program:
        os.write(held, program.read())
    done = subprocess.run([f"/proc/self/fd/{held}", "ran"], pass_fds=[held], capture_output=True, text=True)
    return done.stdout.strip()


@probe
def unusual_device() -> None:
    held = os.open(given["device"], os.O_WRONLY)
    os.write(held, b"x")
    os.close(held)


@probe
def terminal() -> str:
    near, far = os.openpty()
    os.write(near, b"typed\n")
    return os.read(far, 10).decode().strip()


# The kernel


@probe
def trace_child() -> str:
    child = subprocess.Popen(["sleep", "60"])
    try:
        return outcome(lambda: checked(libc.ptrace(PTRACE_SEIZE, child.pid, None, None)))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


@probe
def yield_more() -> str:
    return in_child(lambda: os.nice(5))


@probe
def yield_less() -> str:
    return in_child(lambda: os.nice(-1))


@probe
def schedule_batch() -> str:
    return in_child(lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)))


@probe
def schedule_realtime() -> str:
    return in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))


@probe
def more_files() -> str:
    """The soft limit may go as far as the hard one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return in_child(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))


@probe
def mount() -> str:
    return in_child(lambda: checked(libc.mount(b"none", HOME.encode(), b"tmpfs", 0, None)))


@probe
def user_namespace() -> str:
    return in_child(lambda: checked(libc.unshare(CLONE_NEWUSER)))


@probe
def mount_of_its_own() -> str:
    return said("unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt && echo mounted")


@probe
def personality() -> str:
    return in_child(lambda: checked(libc.personality(PER_LINUX32)))


@probe
def hostname() -> str:
    return in_child(lambda: socket.sethostname("other"))


@probe
def chroot() -> str:
    return in_child(lambda: os.chroot("/"))


@probe
def clock() -> str:
    return in_child(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))


@probe
def writable_code() -> str:
    return outcome(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close())


print(json.dumps({name: outcome(act) for name, act in tried.items()}))
