"""What is in a home is its owner's alone, whatever the umask, after real use."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_home import QUEUECTL, Home, until

from queuectl.queue import Queue


def wrong(home: str, owner: int) -> list[str]:
    """What is open to others, or another's; links aside, which have no mode."""
    found = []
    for path in [Path(home), *Path(home).rglob("*")]:
        seen = path.lstat()
        mode = stat.S_IMODE(seen.st_mode)
        wanted = 0o700 if stat.S_ISDIR(seen.st_mode) else 0o600
        # A socket may have the owner's x bit; nobody else has any.
        good = mode & 0o677 == 0o600 if stat.S_ISSOCK(seen.st_mode) else mode == wanted
        if not stat.S_ISLNK(seen.st_mode) and (not good or seen.st_uid != owner):
            found.append(f"{oct(seen.st_mode)} {seen.st_uid} {path}")
    return found


@pytest.fixture
def loose() -> Iterator[None]:
    """A umask that hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def use(home: Home) -> None:
    """All that leaves something in a home."""
    home.cli("init")
    home.cli("config", "set", "max_retries", "1")
    home.cli("worker", "start", "--count", "2")
    home.cli("worker", "scale", "default", "1")
    long = home.cli("enqueue", "--", "head", "-c", "100000", "/dev/zero").strip()
    short = home.cli("enqueue", "--", "echo", "hello").strip()
    home.cli("enqueue", "--id", "runs", "--", "sh", "-c", "echo on; exec sleep 6171")
    home.cli("wait", long, short)
    home.cli("db", "backup")
    until(lambda: os.path.exists(f"{home.path}/output/runs/1"), "the output of the one that runs")


def test_all_is_private_after_real_use(home: Home, loose: None) -> None:
    use(home)
    assert wrong(home.path, os.geteuid()) == []
    kinds = {stat.S_IFMT(path.lstat().st_mode) for path in Path(home.path).rglob("*")}
    assert stat.S_IFSOCK in kinds
    for kept in ("backups/queue-*.db", "config.d/*.yaml", "logs/default-0.log", "output/*/1", "locks/default-0.lock"):
        assert list(Path(home.path).glob(kept)), kept
    home.cli("worker", "stop", "--force")
    Path(home.path, "jobs.json").write_text(
        '{"old": {"command": "true", "state": "completed", "output": "%s"}}' % ("x" * 9000)
    )
    os.chmod(f"{home.path}/jobs.json", 0o600)
    home.cli("import", f"{home.path}/jobs.json")
    backup = next(Path(home.path, "backups").iterdir())
    home.cli("db", "restore", str(backup), "--yes")
    home.cli("db", "vacuum")
    home.cli("doctor", code=None)
    assert wrong(home.path, os.geteuid()) == []


def test_a_foreground_worker_leaves_nothing_open(home: Home, loose: None) -> None:
    home.enqueue("echo a; exec sleep 6172", id="runs")
    os.makedirs(f"{home.path}/config.d", 0o700, exist_ok=True)
    worker = home.start()
    os.chmod(f"{home.path}/config.d/10-test.yaml", 0o600)  # the test's helper wrote it
    home.await_log(worker, "worker.started")
    until(lambda: os.path.exists(f"{home.path}/output/runs/1"), "its output")
    assert wrong(home.path, os.geteuid()) == []
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    home.worker("--drain")
    assert wrong(home.path, os.geteuid()) == []


def test_what_root_does_in_anothers_home_leaves_it_theirs(loose: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to act on another's home")
    above = tempfile.mkdtemp(prefix="qs-", dir="/tmp")
    os.chmod(above, 0o755)
    home = Home(f"{above}/home")
    os.mkdir(home.path, 0o700)
    os.chown(home.path, 65534, 65534)
    try:
        home.cli("enqueue", "--", "true")
        home.cli("config", "set", "max_retries", "1")
        home.cli("init")
        home.cli("db", "backup")
        home.cli("db", "restore", str(next(Path(home.path, "backups").iterdir())), "--yes")
        home.cli("list")
        assert wrong(home.path, 65534) == []
    finally:
        home.close()
        os.rmdir(above)


def test_nobody_else_can_look_in(home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another")
    home.enqueue("echo secret")
    home.queue.close()
    for path in (home.path, f"{home.path}/queue.db", f"{home.path}/output"):
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "ls", path],
            capture_output=True,
            text=True,
        )
        if path == home.path:
            assert "ermission denied" in done.stderr
        assert done.returncode != 0


def test_jobs_get_an_ordinary_umask(home: Home) -> None:
    """A job's files are its own affair: a cron job's would not be private either."""
    home.worker()
    job = home.enqueue("umask")
    home.ended(job)
    assert home.cli("logs", job).strip() in ("0022", "022")


def test_the_library_makes_private_files_too(loose: None, tmp_path: Path) -> None:
    with_home = str(tmp_path / "home")
    queue = Queue(home=with_home)
    queue.enqueue("true")
    assert wrong(with_home, os.geteuid()) == []
    queue.close()
    assert os.path.exists(QUEUECTL)
