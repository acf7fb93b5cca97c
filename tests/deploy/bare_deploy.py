"""Runs on the bare Debian, as root, with the source in /src: install.sh and the Ansible role under Debian's supervisor.

Prints what it found, as JSON; all else goes to stderr. tests/deploy/test_deploy_bare.py judges it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

NOT_FILES = ("/proc", "/dev", "/sys", "/tmp", "/src", "/run", "/var/log", "/var/lib/queuectl", "/etc/queuectl")
OF_THE_USER = re.compile(r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|/etc/\.pwd\.lock")
CONFIG = "/etc/supervisor/supervisord.conf"
ANSIBLE = "/tmp/ansible/bin"


def shell(line: str, fails: bool = False) -> str:
    """Run a line as root types it; all that it said."""
    print(f"$ {line}", file=sys.stderr, flush=True)
    done = subprocess.run(["bash", "-c", f"exec 2>&1 < /dev/null; {line}"], cwd="/", stdout=subprocess.PIPE, text=True)
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode != 0 and not fails:
        sys.exit(f"{line}: exit {done.returncode}")
    return done.stdout


def files() -> dict[str, str]:
    """Every file and directory but the queue's, with what is said of it."""
    found = {}
    for top, directories, names in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in NOT_FILES]
        for path in [top, *(os.path.join(top, name) for name in names)]:
            facts = os.lstat(path)
            found[path] = f"{facts.st_mode:o} {facts.st_uid} {facts.st_size if path != top else ''}"
    return {path: fact for path, fact in found.items() if not OF_THE_USER.fullmatch(path)}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def programs() -> dict[str, str]:
    """The workers as supervisorctl shows them: name to state and pid."""
    said = shell(f"supervisorctl -c {CONFIG} status", fails=True)
    return dict(re.findall(r"^(queuectl\S+)\s+(\S+\s+pid \d+)", said, re.MULTILINE))


def play(**variables: object) -> int:
    """Play the role; how much it changed."""
    given = json.dumps({"queuectl_package": shell("ls /tmp/wheel/*.whl").strip(), **variables})
    said = shell(
        "cd /src/deploy/ansible && ANSIBLE_HOME=/tmp/home ANSIBLE_REMOTE_TMP=/tmp/remote "
        "ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 "
        f"{ANSIBLE}/ansible-playbook -i localhost, -c local -e '{given}' site.yml"
    )
    found = re.search(r"changed=(\d+)", said)
    assert found
    return int(found[1])


def script(before: dict[str, str]) -> dict[str, object]:
    report: dict[str, object] = {"dry": shell("/src/deploy/install.sh --dry-run")}
    shell("/src/deploy/install.sh")
    first, running = files(), programs()
    report |= {
        "running": running,
        "rendered": shell("diff -r /src/deploy/supervisord /etc/supervisor/conf.d", fails=True),
    }
    report["job"] = shell("queuectl wait $(queuectl enqueue -- id -un) --timeout 30s", fails=True)
    report["second"] = shell("/src/deploy/install.sh")
    report["second_changed"] = changed(first, files())
    report["second_running"] = programs() == running
    shell("/src/deploy/install.sh --uninstall")
    report["after"] = changed(before, files())
    report["kept"] = os.path.exists("/var/lib/queuectl/queue.db") and os.path.exists("/etc/queuectl/queuectl.yaml")
    report["left"] = programs()
    shell("/src/deploy/install.sh --uninstall --purge")
    report["purged"] = not os.path.exists("/var/lib/queuectl") and not os.path.exists("/etc/queuectl")
    return report


def role(before: dict[str, str]) -> dict[str, object]:
    report: dict[str, object] = {"first": play()}
    first, running = files(), programs()
    report |= {"running": running, "second": play(), "second_changed": changed(first, files())}
    report["second_running"] = programs() == running
    play(queuectl_state="absent", queuectl_purge=True)
    report["after"] = changed(before, files())
    report["left"] = programs()
    return report


def main() -> None:
    with open("/usr/sbin/policy-rc.d", "w") as policy:
        policy.write("#!/bin/sh\nexit 101\n")
    os.chmod("/usr/sbin/policy-rc.d", 0o755)
    shell("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends supervisor")
    shell(f"supervisord -c {CONFIG}")
    shell(f"python3 -m venv /tmp/ansible && {ANSIBLE}/pip --quiet install ansible-core")
    shell(f"cp -r /src /tmp/src && {ANSIBLE}/pip --quiet wheel --no-deps --wheel-dir /tmp/wheel /tmp/src")
    programs()  # and its modules are compiled
    shell("python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 || true")  # else those who run would do so
    before = files()
    report = {"script": script(before), "role": role(before)}
    shell(f"supervisorctl -c {CONFIG} shutdown")
    time.sleep(1)
    print(json.dumps(report))


main()
