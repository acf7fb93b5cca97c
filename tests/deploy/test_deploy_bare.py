"""On a bare Debian, made for this test, with Debian's own supervisor: install.sh and the Ansible role."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from deployed import HERE  # it has the path of the next
from test_bare import copy_source, mirror, missing, paths_of, pip_environment

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

MACHINE = Path(HERE).parent / "bare/machine.sh"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    lacks = missing()
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"needs {lacks}")
    assert not lacks
    root, source = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("source")
    copy_source(source)
    pip = pip_environment()
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
         MACHINE, root, source, HERE / "bare_deploy.py", mirror(), *paths_of(pip)],
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
             "LANG": "C.UTF-8", **pip},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_script_there_and_back(report: dict) -> None:
    said = report["script"]
    assert {line.split()[0] for line in said["dry"].splitlines()} == {"would"}
    assert sorted(said["running"]) == ["queuectl-default-0", "queuectl-default-1"]
    assert all(state.startswith("RUNNING") for state in said["running"].values())
    assert [line for line in said["rendered"].splitlines() if not line.startswith("Only in /etc")] == []
    assert said["second"] == "all is installed already: nothing changed\n"
    assert (said["second_changed"], said["second_running"]) == ([], True)
    assert (said["after"], said["left"], said["kept"], said["purged"]) == ([], {}, True, True)


def test_the_role_twice_and_away(report: dict) -> None:
    said = report["role"]
    assert said["first"] > 5
    assert sorted(said["running"]) == ["queuectl-default-0", "queuectl-default-1"]
    assert (said["second"], said["second_changed"], said["second_running"]) == (0, [], True)
    assert (said["after"], said["left"]) == ([], {})
