from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from queuectl.errors import ServiceError
from queuectl.services.manager import Site
from queuectl.services.supervisord import socket_place


def site(home: Path) -> Site:
    os.makedirs(home / "supervisor", 0o700)
    return Site(str(home), None, ("q",), str(home / "logs"), str(home / "supervisor"), 60, 10)


def test_a_short_home_has_its_socket_itself() -> None:
    # A short one, wherever the tests run.
    here = Site("/h", None, ("q",), "/h/logs", "/h/supervisor", 60, 10)
    assert socket_place.choose(here) == socket_place.find(here) == f"{here.supervisor}/supervisor.sock"


def test_a_long_home_has_it_in_the_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    first, second = site(tmp_path / ("l" * 90)), site(tmp_path / ("m" * 90))
    chosen = socket_place.choose(first)
    assert os.path.dirname(chosen) == str(run)
    assert len(chosen) < 100
    assert chosen != socket_place.choose(second)
    # Another environment, cron's say, finds it all the same.
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert socket_place.find(first) == chosen
    (run / os.path.basename(chosen)).touch()
    socket_place.remove(first)
    assert not os.path.exists(chosen)
    assert not os.path.lexists(f"{first.supervisor}/supervisor.sock")
    run.rmdir()


def test_a_runtime_directory_that_others_may_enter_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.path.isdir(f"/run/user/{os.getuid()}"):
        pytest.skip("this session has a runtime directory")
    run = tmp_path / "run"
    run.mkdir(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    with tempfile.TemporaryDirectory(dir="/tmp") as temp:
        monkeypatch.setattr("tempfile.tempdir", temp)
        chosen = socket_place.choose(site(tmp_path / ("l" * 90)))
        private = os.path.dirname(chosen)
        assert private == f"{temp}/queuectl-{os.getuid()}"
        assert os.stat(private).st_mode & 0o777 == 0o700
        os.chmod(private, 0o777)
        with pytest.raises(ServiceError, match="only user"):
            socket_place.choose(site(tmp_path / ("m" * 90)))


def test_with_no_short_place_anywhere_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.path.isdir(f"/run/user/{os.getuid()}"):
        pytest.skip("this session has a runtime directory")
    run = tmp_path / ("r" * 90)
    run.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.setattr("tempfile.tempdir", str(run))
    with pytest.raises(ServiceError, match="at most 99 bytes"):
        socket_place.choose(site(tmp_path / ("l" * 90)))
