"""On a bare Debian, made for this test, with Debian's own supervisor: install.sh and the Ansible role."""

from __future__ import annotations

from pathlib import Path

import pytest
from bare_root import report_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return report_of(Path(__file__).with_name("bare_deploy.py"), tmp_path_factory.mktemp("bare"))


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
