"""Runs on the bare Debian, as root, with the source in /src: install.sh and the Ansible role under Debian's supervisor.

Prints what it found, as JSON; all else goes to stderr. tests/deploy/test_deploy_bare.py judges it.
"""

from __future__ import annotations

import json
import os
import re
import sys

sys.path.insert(0, "/src/tests/support")

from bare_within import changed, files, shell

NOT_OURS = ("/src", "/run", "/var/log", "/var/lib/queuectl", "/etc/queuectl")
OF_THE_USER = re.compile(r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|/etc/\.pwd\.lock")
CONFIG = "/etc/supervisor/supervisord.conf"
ANSIBLE = "/tmp/ansible/bin"


def typed(line: str, fails: bool = False) -> str:
    """All that a line says which root types."""
    return shell(line, merge=True, fails=fails)


def facts() -> dict[str, str]:
    """Every file and directory but the queue's and the user's, with what is said of it."""
    return {
        path: f"{found.st_mode:o} {found.st_uid} {'' if is_directory else found.st_size}"
        for path, found, is_directory in files(*NOT_OURS)
        if not OF_THE_USER.fullmatch(path)
    }


def programs() -> dict[str, str]:
    """The workers as supervisorctl shows them: name to state and pid."""
    said = typed(f"supervisorctl -c {CONFIG} status", fails=True)
    return dict(re.findall(r"^(queuectl\S+)\s+(\S+\s+pid \d+)", said, re.MULTILINE))


def play(**variables: object) -> int:
    """Play the role; how much it changed."""
    given = json.dumps({"queuectl_package": typed("ls /tmp/wheel/*.whl").strip(), **variables})
    said = typed(
        "cd /src/deploy/ansible && ANSIBLE_HOME=/tmp/home ANSIBLE_REMOTE_TMP=/tmp/remote "
        "ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 "
        f"{ANSIBLE}/ansible-playbook -i localhost, -c local -e '{given}' site.yml"
    )
    found = re.search(r"changed=(\d+)", said)
    assert found
    return int(found[1])


def script(before: dict[str, str]) -> dict[str, object]:
    report: dict[str, object] = {"dry": typed("/src/deploy/install.sh --dry-run")}
    typed("/src/deploy/install.sh")
    first, running = facts(), programs()
    report |= {
        "running": running,
        "rendered": typed("diff -r /src/deploy/supervisord /etc/supervisor/conf.d", fails=True),
    }
    report["job"] = typed("queuectl wait $(queuectl enqueue -- id -un) --timeout 30s", fails=True)
    report["second"] = typed("/src/deploy/install.sh")
    report["second_changed"] = changed(first, facts())
    report["second_running"] = programs() == running
    typed("/src/deploy/install.sh --uninstall")
    report["after"] = changed(before, facts())
    report["kept"] = os.path.exists("/var/lib/queuectl/queue.db") and os.path.exists("/etc/queuectl/queuectl.yaml")
    report["left"] = programs()
    typed("/src/deploy/install.sh --uninstall --purge")
    report["purged"] = not os.path.exists("/var/lib/queuectl") and not os.path.exists("/etc/queuectl")
    return report


def role(before: dict[str, str]) -> dict[str, object]:
    report: dict[str, object] = {"first": play()}
    first, running = facts(), programs()
    report |= {"running": running, "second": play(), "second_changed": changed(first, facts())}
    report["second_running"] = programs() == running
    play(queuectl_state="absent", queuectl_purge=True)
    report["after"] = changed(before, facts())
    report["left"] = programs()
    return report


def main() -> None:
    with open("/usr/sbin/policy-rc.d", "w") as policy:
        policy.write("#!/bin/sh\nexit 101\n")
    os.chmod("/usr/sbin/policy-rc.d", 0o755)
    typed("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends supervisor")
    typed(f"supervisord -c {CONFIG}")
    typed(f"python3 -m venv /tmp/ansible && {ANSIBLE}/pip --quiet install ansible-core")
    typed(f"cp -r /src /tmp/src && {ANSIBLE}/pip --quiet wheel --no-deps --wheel-dir /tmp/wheel /tmp/src")
    programs()  # and its modules are compiled
    typed("python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 || true")  # else those who run would do so
    before = facts()
    report = {"script": script(before), "role": role(before)}
    typed(f"supervisorctl -c {CONFIG} shutdown")
    print(json.dumps(report))


main()
