"""The system's supervisord as the manager, by a real one with a conf.d of its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_home import until
from shared_supervisord import Shared, shared_supervisord

from queuectl.errors import ConfigError
from queuectl.services.supervisord import shared_place

THREE = ["default-0", "default-1", "default-2"]


@pytest.fixture
def shared() -> Iterator[Shared]:
    with shared_supervisord() as made:
        yield made


def test_install_writes_a_file_a_worker_and_starts_them(shared: Shared) -> None:
    done = shared.document("service", "install")
    assert (done["manager"], done["started"]) == ("supervisord", THREE)
    assert sorted(os.listdir(f"{shared.top}/conf.d")) == [f"queuectl-{name}.conf" for name in THREE]
    pids = shared.workers()
    assert pids == shared.programs()
    assert shared.document("service", "install") == {"manager": "supervisord", "written": [], "started": []}
    assert shared.workers() == pids
    assert shared.queuectl("service", "diff") == ""
    # Stopped they stay installed.
    shared.queuectl("worker", "stop")
    assert shared.programs() == dict.fromkeys(THREE)
    assert shared.queuectl("service", "diff") == ""


def test_scaling_is_in_the_files_until_worker_stop(shared: Shared) -> None:
    shared.configure("workers: 3", "workers: 2")
    shared.queuectl("service", "install")
    for count in (5, 2, 3):
        shared.queuectl("worker", "scale", "default", str(count))
        assert len(shared.programs()) == len(os.listdir(f"{shared.top}/conf.d")) == count
        assert shared.queuectl("service", "diff") == ""
    shared.queuectl("worker", "stop")
    assert len(os.listdir(f"{shared.top}/conf.d")) == 2
    assert shared.queuectl("service", "diff") == ""
    shared.queuectl("worker", "start")
    assert list(shared.workers()) == ["default-0", "default-1"]


def test_a_change_of_one_pool_concerns_that_pool(shared: Shared) -> None:
    shared.configure("default: {workers: 3}", "default: {workers: 2}\n  heavy: {workers: 1}")
    shared.queuectl("service", "install")
    before = shared.workers()
    shared.configure("heavy: {workers: 1}", "heavy: {workers: 1, nice: 7}")
    (change,) = json.loads(shared.queuectl("service", "diff", "--json", code=1))
    assert change["path"] == f"{shared.top}/conf.d/queuectl-heavy-0.conf"
    done = shared.document("service", "install")
    assert done["started"] == ["heavy-0"]
    after = shared.workers()
    assert after["heavy-0"] != before["heavy-0"]
    assert {**after, "heavy-0": 0} == {**before, "heavy-0": 0}
    assert shared.queuectl("service", "diff") == ""
    pid = after["heavy-0"]
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) == 7
    other = shared.ctl("status", "other").split()[3]
    shared.configure("  heavy: {workers: 1, nice: 7}\n", "")
    shared.queuectl("service", "install")
    assert list(shared.programs()) == ["default-0", "default-1"]
    assert shared.ctl("status", "other").split()[3] == other


def test_a_broken_configuration_ends_in_78_and_no_loop(shared: Shared) -> None:
    shared.queuectl("service", "install")
    shared.configure("kill_grace: 1", "kill_grace: sometimes")
    shared.ctl("restart", "queuectl-default-0")
    until(lambda: "EXITED" in shared.ctl("status", "queuectl-default-0"), "it has exited")
    # By when supervisord has started a killed one anew, and seen it exit, it would have started this one anew, too.
    other = shared.programs()["default-1"]
    assert other
    os.kill(other, signal.SIGKILL)
    until(lambda: "EXITED" in shared.ctl("status", "queuectl-default-1"), "the other has exited, too")
    assert "EXITED" in shared.ctl("status", "queuectl-default-0")
    shared.configure("kill_grace: sometimes", "kill_grace: 1")
    assert shared.states()["default-0"] == "failed"
    shared.queuectl("worker", "start")
    assert set(shared.states().values()) == {"running"}


def test_uninstall_leaves_all_as_it_was(shared: Shared) -> None:
    shared.write("conf.d/mine.conf", "[program:mine]\ncommand=sleep 1000\n")
    shared.ctl("update")

    def listing() -> list[str]:
        inside = (path for path in Path(shared.top).rglob("*") if f"{shared.home}/" not in f"{path}/")
        return sorted(str(path) for path in inside)

    before = listing()
    shared.queuectl("service", "install")
    assert len(shared.document("service", "uninstall")["removed"]) == 3
    assert listing() == before
    assert shared.programs() == {}
    assert shared.ctl("status", "mine").split()[1] in ("STARTING", "RUNNING")
    assert shared.document("service", "uninstall")["removed"] == []


def test_installing_again_starts_what_does_not_run(shared: Shared) -> None:
    # All files are written, and no worker gets ready: it refuses this database, and a second time as well.
    shared.write("home/queue.db", "not a database, and longer than the header of one" * 9)
    for _ in range(2):
        assert "has failed (exit 78" in shared.queuectl("service", "install", code=1)
        assert shared.queuectl("service", "diff") == ""
    os.unlink(f"{shared.home}/queue.db")
    assert shared.document("service", "install") == {"manager": "supervisord", "written": [], "started": THREE}
    pids = shared.workers()
    assert pids == shared.programs()
    shared.queuectl("worker", "stop", "default-1")
    assert shared.document("service", "install")["started"] == ["default-1"]
    after = shared.workers()
    assert {**after, "default-1": 0} == {**pids, "default-1": 0}
    assert after["default-1"]


def test_installing_without_start_leaves_that_to_the_next(shared: Shared) -> None:
    shared.document("service", "install", "--no-start")
    assert shared.programs() == {}
    assert shared.document("service", "install")["started"] == THREE


def test_installing_again_waits_for_what_is_not_ready(shared: Shared) -> None:
    shared.configure("kill_grace: 1", f"kill_grace: 1\ndatabase: sqlite:///{shared.top}/later/queue.db")
    for _ in range(2):
        said = shared.queuectl("service", "install", code=1)
        assert "isn't ready after 10 s" in said
        assert "nothing to do" not in said
    pids = shared.programs()
    os.mkdir(f"{shared.top}/later", 0o700)
    # They need nobody who starts them.
    assert shared.document("service", "install")["started"] == []
    assert shared.workers() == shared.programs() == pids


def test_what_somebody_else_wrote_is_left_alone(shared: Shared) -> None:
    shared.write("conf.d/queuectl-default-1.conf", "; mine\n")
    assert "is not from here" in shared.queuectl("service", "install", code=1)
    assert os.listdir(f"{shared.top}/conf.d") == ["queuectl-default-1.conf"]
    os.unlink(f"{shared.top}/conf.d/queuectl-default-1.conf")
    shared.queuectl("service", "install")
    with open(f"{shared.top}/conf.d/queuectl-default-1.conf", "a") as file:
        file.write("stdout_logfile_backups=9\n")
    for command in ("install", "uninstall"):
        assert "was changed by hand" in shared.queuectl("service", command, code=1)
    assert list(shared.programs()) == THREE


def test_what_it_can_not_hold_is_refused(shared: Shared) -> None:
    shared.configure("workers: 3", "workers: 3, memory_max: 1GiB, group: games")
    said = shared.queuectl("service", "install", code=78)
    assert "pools.default.memory_max: expected none under supervisord, which can't hold it" in said
    assert "pools.default.group" in said
    assert os.listdir(f"{shared.top}/conf.d") == []


def test_without_the_daemon_they_are_installed_for_its_start(shared: Shared) -> None:
    shared.end()
    assert shared.document("service", "install")["started"] == []
    assert "supervisord doesn't run" in shared.queuectl("worker", "start", code=1)
    shared.boot()
    until(lambda: set(shared.states().values()) == {"running"}, "they come with it")


def test_workers_of_our_own_supervisord_are_taken_over(shared: Shared) -> None:
    with open(f"{shared.home}/queuectl.yaml") as file:
        text = file.read()
    shared.configure(text.splitlines()[0], "service: {}")
    shared.queuectl("worker", "start")
    before = shared.workers()
    assert shared.document("service", "status")["manager"] is None
    shared.write("home/queuectl.yaml", text)
    shared.queuectl("service", "install")
    after = shared.workers()
    assert after == shared.programs()
    assert not set(after.values()) & set(before.values())
    assert not os.path.exists(f"{shared.home}/supervisor/supervisord.pid")
    assert shared.document("service", "status")["differs"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only of root it is asked")
def test_root_heeds_only_what_is_roots(shared: Shared) -> None:
    os.chown(f"{shared.top}/supervisord.conf", 65534, -1)
    assert "only root can write" in shared.queuectl("service", "install", code=78)


def test_before_install_there_is_nothing_to_start(shared: Shared) -> None:
    assert "nothing is installed" in shared.queuectl("worker", "start", code=1)
    # The number that this was to have is forgotten all the same.
    assert "nothing is installed" in shared.queuectl("worker", "start", "--count", "5", code=1)
    assert shared.queuectl("worker", "stop") == ""
    assert shared.queuectl("config", "get", "pools.default.workers") == "3\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[supervisord]\nlogfile=/l\n[include]\nfiles=/c/*.conf\n", "expected [unix_http_server]"),
        ("[unix_http_server]\nfile=/s\n[supervisord]\nlogfile=/l\n", "files=DIRECTORY/*.conf"),
        ("[unix_http_server]\nfile=/s\n[include]\nfiles=/c/one.conf\n", "got /c/one.conf"),
        ("[unix_http_server]\nfile=/s\n[include]\nfiles=/c/*.conf\n", "childlogdir= or logfile="),
        ("file=/s\n", "expected the configuration of a supervisord"),
    ],
)
def test_a_configuration_that_lacks_something_says_what(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.conf").write_text(text)
    with pytest.raises(ConfigError) as caught:
        shared_place.read(str(tmp_path / "s.conf"))
    assert says in str(caught.value)


def test_the_place_is_what_the_configuration_says(tmp_path: Path) -> None:
    text = "[unix_http_server]\nfile = run/s ; here\n[supervisord]\nlogfile=%(here)s/log/x.log\n"
    (tmp_path / "s.conf").write_text(text + "[include]\nfiles = one.ini supervisord.d/*.ini\n")
    found = shared_place.read(str(tmp_path / "s.conf"))
    assert found[1:] == (f"{tmp_path}/run/s", f"{tmp_path}/supervisord.d", ".ini", f"{tmp_path}/log")
