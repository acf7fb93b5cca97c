"""What one does to workers, against a real supervisord."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from worker_home import STAND_IN, Home, eventually

from queuectl.config.installation import Installation
from queuectl.domain.settings import Pool, Service, Settings
from queuectl.errors import ConfigError, ServiceError, UsageError
from queuectl.pools import readiness
from queuectl.pools.choice import choose_manager, site
from queuectl.pools.control import Workers
from queuectl.pools.presence import Presence, Record
from queuectl.services import manifest
from queuectl.services.supervisord.manager import PrivateSupervisord
from queuectl.services.systemd.manager import Systemd

POOLS = {"default": Pool("default", workers=2), "heavy": Pool("heavy"), "off": Pool("off", workers=0)}
SETTINGS = Settings(shutdown_timeout=30, kill_grace=1, max_workers=5, pools=POOLS)


def workers(home: Home, **changes: Any) -> Workers:
    settings = SETTINGS._replace(**changes)
    installation = Installation(home.path, f"{home.path}/queuectl.yaml", False)
    return Workers(settings, installation, choose_manager(settings, installation, (sys.executable, STAND_IN)))


def pids(home: Home, state: str = "running") -> dict[str, int]:
    return {each.name: each.pid for each in workers(home).status() if each.state == state and each.pid is not None}


def test_start_brings_each_pool_to_its_number(home: Home) -> None:
    assert workers(home).start() == ["default-0", "default-1", "heavy-0"]
    # Ready on return.
    before = pids(home)
    assert sorted(before) == ["default-0", "default-1", "heavy-0"]
    assert workers(home).start() == ["default-0", "default-1", "heavy-0"]
    assert pids(home) == before


def test_status_says_all(home: Home) -> None:
    workers(home).start("default", 1)
    first, second, heavy = workers(home).status()
    assert (first.name, first.pool, first.state, first.running, first.done) == ("default-0", "default", "running", 0, 0)
    assert first.rss is not None
    assert first.rss > 10**6
    assert first.cpu is not None
    assert 0 < first.cpu < 60
    assert first.uptime is not None
    assert 0 <= first.uptime < 60
    assert first.beat_at is not None
    assert abs(first.beat_at / 1000 - time.time()) < 60
    for absent in (second, heavy):
        assert absent[2:] == (None, "stopped", None, None, None, None, None, None)


def test_status_without_anything(home: Home) -> None:
    assert [(each.name, each.state, each.pid) for each in workers(home).status()] == [
        ("default-0", "stopped", None),
        ("default-1", "stopped", None),
        ("heavy-0", "stopped", None),
    ]
    assert workers(home).stop() == []


def test_a_foreground_worker_shows_and_is_left_alone(home: Home) -> None:
    presence = Presence.acquire(f"{home.path}/locks", "default", 7)
    presence.publish(Record("u", os.getpid(), "running", 2, 5, time.time_ns() // 10**6, 1))
    (found,) = [each for each in workers(home).status() if each.name == "default-7"]
    assert (found.pid, found.state, found.running, found.done) == (os.getpid(), "running", 2, 5)
    assert workers(home).stop() == []
    presence.close()


def test_a_crashed_one_that_nobody_wants_is_not_shown(home: Home) -> None:
    home.write("locks/default-7.lock", "")
    assert "default-7" not in [each.name for each in workers(home).status()]


def test_scale_starts_and_stops_the_difference_highest_first(home: Home) -> None:
    workers(home).scale("default", 2)
    before = pids(home)
    assert workers(home).scale("default", 4) == [f"default-{number}" for number in range(4)]
    more = pids(home)
    assert sorted(more) == [f"default-{number}" for number in range(4)]
    workers(home).stop(names=["default-1"])
    # The survivors are the lowest that run, whatever their numbers; a hole is filled first.
    assert workers(home).scale("default", 2) == ["default-0", "default-2"]
    assert pids(home) == {"default-0": before["default-0"], "default-2": more["default-2"]}
    assert workers(home).scale("default", 3) == ["default-0", "default-1", "default-2"]
    assert workers(home).scale("default", 0) == []
    assert not home.processes()


def test_other_pools_are_left_alone(home: Home) -> None:
    workers(home).start("heavy")
    before = pids(home)
    workers(home).start(count=1)
    assert pids(home)["heavy-0"] == before["heavy-0"]
    workers(home).stop("default")
    assert pids(home) == before


@pytest.mark.parametrize(
    ("pool", "count", "message"),
    [
        (None, 6, r"at most max_workers = 5 workers in all pools together, got 6 \(default 6\)"),
        ("heavy", -1, "from 0 on, got -1"),
        ("hevy", None, "no pool 'hevy'; there are: default, heavy, off"),
    ],
)
def test_what_can_not_be_started(home: Home, pool: str | None, count: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        workers(home).start(pool, count)
    assert caught.value.exit_code == 2
    if pool == "hevy":
        assert caught.value.hint == "did you mean heavy?"
    assert not home.processes()


def test_workers_of_other_pools_count_too(home: Home) -> None:
    workers(home).start("heavy", 2)
    with pytest.raises(UsageError, match=r"got 6 \(default 4, and 2 of other pools\)"):
        workers(home).start(count=4)
    assert workers(home).start(count=3)
    with pytest.raises(UsageError, match=r"got 6"):
        workers(home, pools={**POOLS, "default": Pool("default", workers=5)}).start()


def test_names_that_are_none(home: Home) -> None:
    workers(home).start("default")
    for wrong in ("default", "defualt-0", "default-x"):
        with pytest.raises(UsageError, match=f"no worker '{wrong}'; there are: default-0, default-1"):
            workers(home).stop(names=[wrong])
    with pytest.raises(UsageError, match="no pool 'none'"):
        workers(home).stop("none")
    # One that could be, and isn't, is no error.
    assert workers(home).stop(names=["default-9"]) == []
    assert workers(home).stop("default", ["default-1", "heavy-0"]) == ["default-1"]


def test_restart(home: Home) -> None:
    workers(home).start()
    before = pids(home)
    assert workers(home).restart("default") == ["default-0", "default-1"]
    after = pids(home)
    assert after["heavy-0"] == before["heavy-0"]
    assert not {after["default-0"], after["default-1"]} & set(before.values())
    workers(home).reload(names=["heavy-0"])
    eventually(lambda: home.events("heavy-0") == ["SIGHUP"])


def test_one_that_refuses_is_told_with_its_log(home: Home) -> None:
    home.write("mode-default-1", "refuse")
    with pytest.raises(ServiceError, match="worker default-1 has failed") as caught:
        workers(home).start()
    assert "exit 78" in str(caught.value)
    assert "queuectl.yaml:1: expected a number" in str(caught.value)
    assert caught.value.hint is not None
    assert "queuectl worker logs default-1" in caught.value.hint
    assert {each.name: each.state for each in workers(home).status()}["default-1"] == "failed"
    # Repaired, a start is enough.
    home.write("mode-default-1", "")
    workers(home).start()
    assert "default-1" in pids(home)


def test_one_that_is_never_ready_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness.wait_ready, "__defaults__", (0.5,))
    home.write("mode", "crash")
    with pytest.raises(ServiceError, match=r"worker default-0 isn't ready after 0.5 s") as caught:
        workers(home).start("default", 1)
    assert "the worker's own words" in str(caught.value)


@pytest.mark.parametrize("how", [{"force": True}, {"timeout": 0}, {"timeout": 0.5}])
def test_stop_in_a_hurry(home: Home, how: dict[str, Any]) -> None:
    home.write("mode", "busy")
    workers(home).start(count=1)
    began = time.monotonic()
    assert workers(home).stop(**how) == ["default-0"]
    assert time.monotonic() - began < 10
    assert not home.processes()
    assert "SIGUSR2" not in home.events("default-0")


def test_force_kills_what_heeds_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queuectl.pools.control.KILL_AFTER", 0.5)
    home.write("mode", "stubborn")
    workers(home).start(count=1)
    workers(home).stop(force=True)
    assert not home.processes()


def test_a_longer_time_than_shutdown_timeout_drains_first(home: Home) -> None:
    home.write("mode", "busy")
    workers(home, shutdown_timeout=0).start(count=1)
    stopping = threading.Thread(target=workers(home, shutdown_timeout=0).stop, kwargs={"timeout": 60})
    stopping.start()
    eventually(lambda: list(pids(home, "draining")) == ["default-0"])
    assert home.events("default-0") == ["SIGUSR2"]
    assert stopping.is_alive()
    home.write("finish")
    stopping.join(15)
    assert not stopping.is_alive()
    assert home.events("default-0") == ["SIGUSR2", "SIGTERM"]


def test_when_that_time_is_over_it_ends_at_once(home: Home) -> None:
    home.write("mode", "busy")
    workers(home, shutdown_timeout=0).start(count=1)
    workers(home, shutdown_timeout=0).stop(timeout=0.5)
    assert home.events("default-0")[0] == "SIGUSR2"
    assert set(home.events("default-0")[1:]) == {"SIGTERM"}
    assert not home.processes()


def test_which_manager(tmp_path: Path) -> None:
    installation = Installation(str(tmp_path), "/c.yaml", True)
    assert site(Settings(), installation, ("q",)).config_file == "/c.yaml"
    assert site(Settings(), installation._replace(explicit_config=False), ("q",)).config_file is None
    assert isinstance(choose_manager(Settings(), installation), PrivateSupervisord)
    assert isinstance(choose_manager(Settings(service=Service("systemd")), installation), Systemd)
    with pytest.raises(ConfigError, match=r"/nowhere/supervisord.conf: expected a readable file"):
        choose_manager(Settings(service=Service(supervisord_config="/nowhere/supervisord.conf")), installation)
    # With auto, what was installed counts.
    manifest.save(str(tmp_path), manifest.Manifest("systemd", {"/etc/systemd/system/queuectl.target": ("x",)}))
    assert isinstance(choose_manager(Settings(), installation), Systemd)
    assert isinstance(choose_manager(Settings(service=Service("supervisord")), installation), PrivateSupervisord)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts on another's home")
def test_for_root_the_owner_of_the_home_counts(tmp_path: Path) -> None:
    installation = Installation(str(tmp_path), "/c.yaml", True)
    assert site(Settings(), installation).user == "root"
    os.chown(tmp_path, 65534, 65534)
    assert site(Settings(), installation).user == "nobody"
    os.chown(tmp_path, 54321, 54321)
    with pytest.raises(ServiceError, match="belongs to user 54321"):
        site(Settings(), installation)
