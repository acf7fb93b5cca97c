"""Copies that are whole, or not there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from real_home import QUEUECTL, Home, until
from repair_home import findings, run

from queuectl.storage import backup, queries
from queuectl.storage.database import Database
from queuectl.storage.queries import Filter


def count(path: str) -> int:
    """How many jobs a copy has; it is sound."""
    database = Database(path, create=False)
    try:
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        return queries.count(database, Filter())
    finally:
        database.close()


def test_a_backup_is_of_one_moment_while_all_go_on(home: Home, tmp_path: Path) -> None:
    home.worker(concurrency=8)
    stop = threading.Event()

    def enqueue() -> None:
        while not stop.is_set():
            # All of a batch, or none: so any moment has a multiple of ten.
            home.queue.enqueue_many(["true"] * 10)

    writer = threading.Thread(target=enqueue)
    writer.start()
    try:
        until(lambda: queries.count(home.queue.database, Filter()) > 100, "some jobs")
        for n in range(6):
            file = str(tmp_path / f"{n}.db")
            said = run(home, "db", "backup", file, "--json")
            assert said.code == 0, said
            assert said.json["size"] == os.path.getsize(file)
    finally:
        stop.set()
        writer.join()
    copies = [count(str(tmp_path / f"{n}.db")) for n in range(6)]
    assert all(n % 10 == 0 for n in copies)
    assert copies == sorted(copies)
    assert copies[0] > 100


def test_it_is_private_and_leaves_nothing_beside(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    os.umask(0o022)
    run(home, "db", "backup", str(tmp_path / "copy.db"))
    assert os.stat(tmp_path / "copy.db").st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["copy.db"]


def test_what_is_there_stays_unless_forced(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    file = tmp_path / "copy.db"
    file.write_text("mine")
    said = run(home, "db", "backup", str(file))
    assert (said.code, file.read_text()) == (1, "mine")
    assert "is there already" in said.err
    assert run(home, "db", "backup", str(file), "--force").code == 0
    assert count(str(file)) == 1


@pytest.mark.parametrize("name", ["queue.db", "queue.db-wal", "queue.db-shm", "write.lock", "./locks/../queue.db"])
def test_it_never_replaces_the_queue_itself(home: Home, name: str) -> None:
    home.enqueue("true")
    said = run(home, "db", "backup", f"{home.path}/{name}", "--force")
    assert said.code == 1
    assert "is the queue itself" in said.err
    assert home.queue.jobs().__next__().spec.command == "true"


def test_a_link_to_the_queue_is_seen_through(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    (tmp_path / "link.db").symlink_to(f"{home.path}/queue.db")
    assert "is the queue itself" in run(home, "db", "backup", str(tmp_path / "link.db"), "--force").err


def test_a_link_in_its_place_is_replaced_and_not_followed(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "copy.db").symlink_to(tmp_path / "victim")
    assert run(home, "db", "backup", str(tmp_path / "copy.db")).code == 1
    assert run(home, "db", "backup", str(tmp_path / "copy.db"), "--force").code == 0
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "copy.db").is_symlink()


@pytest.mark.parametrize("target", ["", "nowhere/copy.db", "directory"])
def test_a_place_where_none_can_be_is_said(home: Home, tmp_path: Path, target: str) -> None:
    home.enqueue("true")
    (tmp_path / "directory").mkdir()
    said = run(home, "db", "backup", str(tmp_path / target) if target else "", "--force")
    assert said.code in (1, 2)
    assert said.err.startswith("queuectl: error: ")
    assert os.listdir(tmp_path) == ["directory"]


def test_killed_at_any_moment_the_former_copy_stays_whole(home: Home, tmp_path: Path) -> None:
    home.queue.enqueue_many([f"echo {'x' * 2000}" for _ in range(3000)])
    file = str(tmp_path / "copy.db")
    run(home, "db", "backup", file)
    for _ in range(12):
        running = subprocess.Popen([QUEUECTL, "db", "backup", file, "--force"], env=home.environment)
        try:
            running.wait(random.uniform(0.05, 0.5))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
        running.wait()
        assert count(file) == 3000


def test_dated_ones_are_rotated_and_others_left(home: Home) -> None:
    home.enqueue("true")
    home.cli("db", "backup")
    backups = Path(home.path, "backups")
    for name in (
        "queue-20200101T000000Z.db",
        "queue-20210101T000000Z.db",
        "mine.db",
        "queue-20200101T000000Z.db.77.new",
    ):
        (backups / name).write_text("x")
    said = run(home, "db", "backup", "--keep", "2", "--json").json
    assert sorted(os.path.basename(path) for path in said["removed"]) == [
        "queue-20200101T000000Z.db",
        "queue-20210101T000000Z.db",
    ]
    assert len(list(backups.glob("queue-*.db"))) == 2
    assert sorted(path.name for path in backups.iterdir() if "queue" not in path.name) == ["mine.db"]
    assert not list(backups.glob("*.new"))
    assert run(home, "db", "backup", str(backups / "x.db"), "--keep", "1").code == 2


def test_a_name_with_a_day_that_is_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "queue-20260231T000000Z.db").touch()
    (tmp_path / "queue-20260228T000000Z.db").touch()
    assert [os.path.basename(each.path) for each in backup.dated(str(tmp_path))] == ["queue-20260228T000000Z.db"]


FULL = """
import os, sys
from queuectl.queue import Queue
from queuectl.errors import DiskFull
from queuectl.storage import backup
queue = Queue(home=sys.argv[1])
try:
    backup.write(queue.database, "/mnt/copy.db")
except DiskFull as error:
    print("full:", error)
print(os.listdir("/mnt"))
"""


def test_a_full_disk_is_said_and_leaves_nothing(home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    home.queue.enqueue_many([f"echo {'x' * 3000}" for _ in range(1000)])
    mounted = 'mount -t tmpfs -o size=1m none /mnt && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", FULL, home.path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "full: /mnt/copy.db: no room for a copy of the database\n[]\n", done.stderr


def test_the_leader_makes_them_by_itself_and_keeps_so_many(home: Home) -> None:
    home.enqueue("true")
    worker = home.worker(backup_every="1", backup_keep="2")
    for _ in range(4):
        home.await_log(worker, "leader.backup ")
    copies = backup.dated(f"{home.path}/backups")
    assert 1 <= len(copies) <= 3  # a third one for the moment between making and removing
    assert [count(copy.path) for copy in copies[1:2]] == [1]
    assert home.ended(home.enqueue("true")).state.value == "completed"


def test_a_leader_that_cannot_make_one_says_so_and_goes_on(home: Home) -> None:
    home.enqueue("true")
    os.rmdir(f"{home.path}/backups")
    worker = home.worker(backup_every="1")
    Path(home.path, "backups").exists() and os.rmdir(f"{home.path}/backups")
    Path(home.path, "backups").write_text("in the way")
    assert "reason=" in home.await_log(worker, "leader.backup_failed")
    assert home.ended(home.enqueue("true")).state.value == "completed"


def test_without_room_for_it_none_is_begun(home: Home) -> None:
    home.enqueue("true")
    worker = home.worker(backup_every="1", min_free_space="1000TiB")
    assert "free for a copy" in home.await_log(worker, "leader.backup_failed")
    assert os.listdir(f"{home.path}/backups") == []


def test_a_short_run_makes_none(home: Home) -> None:
    home.enqueue("true")
    home.cli("worker", "run", "--drain")
    assert os.listdir(f"{home.path}/backups") == []
    assert findings(home, "doctor")["backups"]["severity"] == "ok"
