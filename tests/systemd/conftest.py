from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import CONFIG, HOME, UNITS, Machine, booted

SYSTEMD = "/lib/systemd/systemd"

BASE = """\
service: {user: queuectl}
kill_grace: 1
shutdown_timeout: 20
backoff_base: 1
backoff_jitter: 0
pools:
  default: {workers: 3}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only root can make such namespaces. Root with systemd must not skip: a test that never runs proves nothing."""
    here = Path(__file__).parent
    why = "only root can boot a throw-away systemd" if os.geteuid() else ""
    if not why and not os.path.exists(SYSTEMD):
        why = "no systemd on this machine: apt-get install systemd"
    for item in items:
        if why and here in item.path.parents and "machine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def shared() -> Iterator[Machine]:
    with booted() as made:
        made.run("useradd", "--system", "--home-dir", HOME, "queuectl")
        yield made


@pytest.fixture
def machine(shared: Machine) -> Iterator[Machine]:
    """The machine as it was after its boot, with a configuration of three workers."""
    shared.write(CONFIG, BASE)
    yield shared
    shared.sh(
        "systemctl list-units --all --plain --no-legend 'queuectl-*@*.service' | cut -d' ' -f1 > /tmp/units;"
        "[ ! -s /tmp/units ] || systemctl kill --signal=KILL $(cat /tmp/units) 2> /dev/null || true;"
        "[ ! -s /tmp/units ] || systemctl stop $(cat /tmp/units) 2> /dev/null || true;"
        "systemctl disable --now queuectl.target 2> /dev/null || true;"
        f"rm -rf {UNITS}/queuectl* {HOME} /etc/queuectl; systemctl daemon-reload; systemctl reset-failed"
    )
