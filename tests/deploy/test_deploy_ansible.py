"""deploy/ansible: the role is sound, and a second run of it changes nothing; under a real systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from deployed import PYTHON, SOURCE, changed, copy_checkout, files, pip_environment
from machine import Machine, booted

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a throw-away systemd"),
    pytest.mark.skipif(not os.path.exists("/lib/systemd/systemd"), reason="no systemd on this machine"),
]

ROLE = Path(__file__).parents[2] / "deploy/ansible"
ENVIRONMENT = {
    **pip_environment(),
    "ANSIBLE_HOME": "/tmp/ansible",
    "ANSIBLE_REMOTE_TMP": "/tmp/ansible/remote",
    "ANSIBLE_PYTHON_INTERPRETER": PYTHON,
}


class Played(NamedTuple):
    changed: int
    said: str


class Ansible:
    """A machine, and a playbook that is played on it."""

    def __init__(self, machine: Machine, top: Path) -> None:
        self.machine = machine
        self._top = top
        self.wheel = next(top.glob("*.whl"))

    def play(self, *options: str, **variables: object) -> Played:
        given = {"queuectl_package": str(self.wheel), "queuectl_python": PYTHON, **variables}
        argv = [f"{self._top}/venv/bin/ansible-playbook", "-i", "localhost,", "-c", "local", *options]
        argv += ["-e", json.dumps(given), f"{SOURCE}/deploy/ansible/site.yml"]
        said = self.machine.run(
            *argv, merge=True, timeout=300, ANSIBLE_CONFIG=f"{SOURCE}/deploy/ansible/ansible.cfg", **ENVIRONMENT
        )
        found = re.search(r"changed=(\d+) .*failed=0 ", said)
        assert found, said
        return Played(int(found[1]), said)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Ansible and its linter, for a wheel of the source, too."""
    made = tmp_path_factory.mktemp("ansible")
    subprocess.run([sys.executable, "-m", "venv", f"{made}/venv"], check=True)
    subprocess.run([f"{made}/venv/bin/pip", "--quiet", "install", "ansible-core", "ansible-lint"], check=True)
    return made


@pytest.fixture(scope="module")
def ansible(top: Path) -> Iterator[Ansible]:
    os.chmod(top, 0o755)
    with booted("-w", str(top)) as machine:
        copy_checkout(machine)
        wheel = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(top), SOURCE]
        machine.run(f"{top}/venv/bin/python", *wheel, timeout=120, **ENVIRONMENT)
        yield Ansible(machine, top)


def test_the_syntax(top: Path, tmp_path: Path) -> None:
    argv = [f"{top}/venv/bin/ansible-playbook", "--syntax-check", "-i", "localhost,", "site.yml"]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path)}
    done = subprocess.run(argv, cwd=ROLE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ansible_lint_is_silent(top: Path, tmp_path: Path) -> None:
    role = shutil.copytree(ROLE, tmp_path / "role")  # it writes where it reads
    environment = {"PATH": f"{top}/venv/bin:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    argv = [f"{top}/venv/bin/ansible-lint", "--offline", "roles", "site.yml"]
    done = subprocess.run(argv, cwd=role, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_twice_and_away(ansible: Ansible) -> None:
    machine = ansible.machine
    before = files(machine)
    assert ansible.play().changed > 5
    for number in (0, 1):
        assert machine.code("systemctl", "is-active", f"queuectl-default@{number}") == 0

    installed, pids = files(machine), machine.sh("systemctl show 'queuectl-default@*' --property=MainPID")
    again = ansible.play()
    assert again.changed == 0, again.said
    assert changed(installed, files(machine)) == []
    assert machine.sh("systemctl show 'queuectl-default@*' --property=MainPID") == pids

    # Another setting: the workers take it with their PIDs kept.
    config = {"service": {"user": "queuectl"}, "max_retries": 7, "pools": {"default": {"workers": 2}}}
    assert ansible.play(queuectl_config=config).changed == 2  # the YAML, and the reload
    assert machine.sh("systemctl show 'queuectl-default@*' --property=MainPID") == pids
    assert machine.run("/usr/local/bin/queuectl", "config", "get", "max_retries").strip() == "7"

    ansible.play(queuectl_state="absent")
    assert changed(before, files(machine)) == []
    assert machine.code("test", "-s", "/var/lib/queuectl/queue.db") == 0
    ansible.play(queuectl_state="absent", queuectl_purge=True)
    assert machine.code("test", "-e", "/var/lib/queuectl") == 1
    assert machine.code("test", "-e", "/etc/queuectl") == 1
