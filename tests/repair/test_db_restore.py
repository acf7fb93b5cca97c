"""A backup takes the place of the database: whatever became of that, and whatever happens on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from real_home import QUEUECTL, Home, alive, sleepers, until
from repair_home import close, plant, run, sqlite3

from queuectl.errors import DatabaseDamaged, DatabaseUnavailable
from queuectl.storage import queries
from queuectl.storage.database import Database
from queuectl.storage.queries import Filter


def ids(home: Home) -> list[str]:
    return sorted(home.cli("list", "--limit", "0", "-o", "id").split())


@pytest.fixture
def file(home: Home, tmp_path: Path) -> str:
    """A backup with the jobs `one` and `two`; the queue itself has `three`, too."""
    home.enqueue("true", id="one")
    home.enqueue("true", id="two")
    made = str(tmp_path / "copy.db")
    home.cli("db", "backup", made)
    home.enqueue("true", id="three")
    close(home)
    return made


def former(home: Home) -> str:
    return next(str(path) for path in Path(home.path).glob("queue.db.before-restore-*") if "-wal" not in path.name)


def test_it_takes_the_place_and_keeps_the_former(home: Home, file: str) -> None:
    before = Path(file).read_bytes()
    said = run(home, "db", "restore", file, "--yes", "--json")
    assert said.code == 0, said
    assert said.json["jobs"] == 2
    assert said.json["former"] == former(home)
    assert ids(home) == ["one", "two"]
    assert Path(file).read_bytes() == before
    kept = Database(former(home), create=False)
    assert queries.count(kept, Filter()) == 3
    kept.close()
    assert run(home, "db", "check").code == 0
    for path in (former(home), f"{home.path}/queue.db"):
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(home.path) if "restoring" in name or "restored" in name]
    # In the mode of a queue: readers and writers don't keep each other out.
    assert sqlite3.connect(f"{home.path}/queue.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_former_can_be_restored_too(home: Home, file: str) -> None:
    run(home, "db", "restore", file, "--yes")
    assert run(home, "db", "restore", former(home), "--yes").code == 0
    assert ids(home) == ["one", "three", "two"]


def test_the_former_keeps_its_log(home: Home, file: str) -> None:
    killed = (
        "import os, signal; from queuectl import Queue; q = Queue(); q.enqueue('true', id='in-the-log'); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed], env=home.environment, check=False)
    assert os.path.getsize(f"{home.path}/queue.db-wal") > 0
    assert run(home, "db", "restore", file, "--yes").code == 0
    assert ids(home) == ["one", "two"]
    assert os.path.exists(f"{former(home)}-wal")
    assert run(home, "db", "restore", former(home), "--yes").code == 0
    assert "in-the-log" in ids(home)


def test_it_asks(home: Home, file: str) -> None:
    said = run(home, "db", "restore", file)
    assert said.code == 2
    assert "2 jobs" in said.err
    assert "three" in ids(home)
    assert not list(Path(home.path).glob("queue.db.*"))


@pytest.mark.parametrize("harm", ["truncated", "empty", "garbage", "gone", "gone, but its log", "home gone"])
def test_whatever_became_of_the_database(home: Home, file: str, harm: str) -> None:
    path = Path(home.path, "queue.db")
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "garbage":
        path.write_bytes(os.urandom(50_000))
    else:
        path.unlink()
        if harm == "gone, but its log":
            Path(f"{path}-wal").write_bytes(os.urandom(5000))
        elif harm == "home gone":
            shutil.rmtree(home.path)
    assert run(home, "db", "restore", file, "--yes").code == 0
    assert ids(home) == ["one", "two"]
    assert run(home, "db", "check").code == 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def _overwrite(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + os.urandom(8192) + data[12288:])


def _sql(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        other = sqlite3.connect(str(path))
        other.execute(statement)
        other.commit()
        other.close()

    return change


def _become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_cut, "malformed"),
        (_overwrite, ""),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_text("no database" * 100), "no SQLite database"),
        (_sql("PRAGMA user_version = 2000"), "version 2000"),
        (_sql("PRAGMA application_id = 7"), "another program's"),
        (_become_directory, "got no file"),
        (_become_fifo, "got no file"),
        (Path.unlink, "no such file"),
    ],
)
def test_what_is_no_sound_backup_is_refused(home: Home, file: str, harm: Callable[[Path], object], words: str) -> None:
    harm(Path(file))
    before = Path(home.path, "queue.db").read_bytes()
    said = run(home, "db", "restore", file, "--yes")
    assert said.code == 1, said
    assert words in said.err
    assert file in said.err
    assert "restoring" not in said.err
    assert Path(home.path, "queue.db").read_bytes() == before
    assert not list(Path(home.path).glob("queue.db.*"))


def test_the_queue_itself_is_no_backup(home: Home, file: str) -> None:
    for name in ("queue.db", "locks/../queue.db"):
        said = run(home, "db", "restore", f"{home.path}/{name}", "--yes")
        assert said.code == 1
        assert "is the queue itself" in said.err
    assert len(ids(home)) == 3


def test_workers_that_run_are_named(home: Home, file: str) -> None:
    worker = home.worker()
    said = run(home, "db", "restore", file, "--yes")
    assert said.code == 1
    assert f"default-0 (pid {worker.pid})" in said.err
    assert "queuectl worker stop" in said.err
    assert "three" in ids(home)


def test_processes_of_jobs_that_outlived_their_worker_are_named(home: Home, file: str) -> None:
    worker = home.worker()
    home.enqueue("exec sleep 6151")
    until(lambda: sleepers("6151"), "the job to run")
    (pid,) = sleepers("6151")
    try:
        worker.kill()
        worker.wait()
        said = run(home, "db", "restore", file, "--yes")
        assert said.code == 1
        assert str(pid) in said.err
    finally:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "its end")
    assert run(home, "db", "restore", file, "--yes").code == 0


def test_a_job_that_ran_when_the_backup_was_made_runs_again_uncounted(home: Home, tmp_path: Path) -> None:
    worker = home.worker()
    job = home.enqueue("exec sleep 6152", max_retries=0)
    until(lambda: sleepers("6152"), "the job to run")
    file = str(tmp_path / "copy.db")
    home.cli("db", "backup", file)
    home.cli("cancel", job)
    home.ended(job)
    worker.terminate()
    worker.wait(20)
    close(home)
    said = run(home, "db", "restore", file, "--yes", "--json")
    assert said.json["given_back"] == 1
    found = home.queue.get(job)
    assert (found.state.value, found.attempts) == ("pending", 0)
    (attempt,) = home.queue.attempts(job)
    assert attempt.outcome is not None
    assert attempt.outcome.value == "released"
    assert run(home, "db", "check").code == 0
    home.worker()
    until(lambda: sleepers("6152"), "the job to run again")


def test_a_killed_workers_job_is_ended_before_it_may_run_again(home: Home, file: str, tmp_path: Path) -> None:
    """Its process wiped its environment, so that only its mark tells whose it is."""
    worker = home.worker()
    job = home.enqueue(["env", "-i", "sleep", "6153"])
    until(lambda: sleepers("6153"), "the job to run")
    home.cli("db", "backup", str(tmp_path / "running.db"))
    worker.kill()
    worker.wait()
    assert sleepers("6153")
    close(home)
    assert run(home, "db", "restore", str(tmp_path / "running.db"), "--yes").code == 0
    assert sleepers("6153") == []
    assert home.queue.get(job).state.value == "pending"


def test_who_had_the_former_open_cannot_write_to_it_any_more(home: Home, file: str) -> None:
    queue = home.queue
    assert queue.get("three")
    assert run(home, "db", "restore", file, "--yes").code == 0
    with pytest.raises(DatabaseUnavailable, match="another was put in its place"):
        queue.enqueue("true", id="lost")
    with pytest.raises(DatabaseUnavailable):
        queue.cancel("three")
    close(home)
    assert home.enqueue("true", id="kept") == "kept"
    assert ids(home) == ["kept", "one", "two"]


def test_what_is_wrong_with_a_backups_rows_is_mended(home: Home, file: str) -> None:
    _sql("UPDATE job_counts SET n = 77")(Path(file))
    assert run(home, "db", "restore", file, "--yes").code == 0
    assert run(home, "db", "check").code == 0


def test_an_older_minor_version_is_brought_up(home: Home, file: str) -> None:
    plant(home, "PRAGMA user_version = 1000")
    assert run(home, "db", "restore", file, "--yes").code == 0
    assert run(home, "db", "migrate").code == 0


CUT_OFF = """
import os, sys
left = int(sys.argv.pop(1))
def counted(real):
    def call(*args, **keys):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return real(*args, **keys)
    return call
for name in ("rename", "unlink", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
from queuectl.cli.main import main
sys.exit(main())
"""


def test_cut_off_at_any_step_nothing_is_lost(home: Home, file: str) -> None:
    """Afterwards the queue is the former or the restored one, or opening it says what to do; and doing it again
    works."""
    for step in range(40):
        close(home)
        for name in Path(home.path).glob("queue.db*"):
            name.unlink()
        for job in ("one", "two", "three"):
            home.enqueue("true", id=job)
        close(home)
        command = [sys.executable, "-c", CUT_OFF, str(step), "db", "restore", file, "--yes"]
        code = subprocess.run(command, env=home.environment, capture_output=True, timeout=60).returncode
        if code == 0:
            assert step > 5
            break
        assert code == 9
        try:
            Database(f"{home.path}/queue.db").close()
        except DatabaseDamaged:
            assert run(home, "db", "restore", file, "--yes").code == 0
        assert ids(home) in (["one", "three", "two"], ["one", "two"]), step
        assert run(home, "db", "check").code == 0
        assert run(home, "db", "restore", file, "--yes").code == 0
        assert ids(home) == ["one", "two"]
    else:
        raise AssertionError("it never came to its end")


def test_the_hint_of_a_damaged_database_is_a_command_that_works(home: Home) -> None:
    home.enqueue("true", id="kept")
    close(home)
    home.cli("db", "backup")
    path = Path(home.path, "queue.db")
    path.write_bytes(path.read_bytes()[:9000])
    before = path.read_bytes()
    said = run(home, "list")
    assert said.code == 1
    assert path.read_bytes() == before
    command = said.err.rpartition("queuectl db restore ")[2].split()
    done = subprocess.run(
        [QUEUECTL, "db", "restore", *command, "--yes"],
        capture_output=True,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done
    assert ids(home) == ["kept"]


def test_a_worker_that_finds_damage_says_the_same(home: Home) -> None:
    home.enqueue("true")
    close(home)
    home.cli("db", "backup")
    Path(home.path, "queue.db").write_bytes(b"")
    worker = home.start()
    line = home.await_log(worker, "worker.failed")
    assert "queuectl db restore " in line
    assert worker.wait(10) == 78


def test_an_overwritten_database_is_told_from_a_wrong_path(home: Home) -> None:
    home.enqueue("true")
    close(home)
    home.cli("db", "backup")
    Path(home.path, "queue.db").write_bytes(b"x" * 50_000)
    assert "db restore" in run(home, "list").err
