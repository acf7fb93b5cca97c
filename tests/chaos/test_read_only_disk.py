"""A disk whose file system finds an error and turns read-only under running workers, and is repaired."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disk import break_disk, can_have_disk, check_disk, make_disk, mount_disk, unmount_disk
from real_home import QUEUECTL, Home, until

_HERE = os.path.dirname(os.path.abspath(__file__))
IN_A_NAMESPACE = """
import sys, disk, test_read_only_disk as tests

disk.mount_disk(sys.argv[2])
getattr(tests, sys.argv[1])(sys.argv[2])
"""


def goes_on(home: Home, worker: subprocess.Popen[bytes]) -> str:
    """Its loop serves: what it says of itself when it is asked to."""
    worker.send_signal(signal.SIGUSR1)
    return home.await_log(worker, "worker.state")


def workers_with_jobs(run: str) -> None:
    gate = os.path.join(run, "gate")
    home = Home(os.path.join(run, "home"))
    workers = [
        home.worker("--instance", str(number), concurrency=2, shutdown_timeout="1s", kill_grace="1s")
        for number in range(2)
    ]
    runs = [home.enqueue(f"until [ -e {gate} ]; do sleep 0.1; done") for _ in range(4)]
    until(lambda: all(home.queue.get(job).state.value == "processing" for job in runs), "all to run")
    waits = home.enqueue("true")
    later = home.enqueue("true", delay=3600)
    assert break_disk(run)
    refused = subprocess.run([QUEUECTL, "enqueue", "--", "true"], env=home.environment, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "can't be written" in refused.stderr
    # The jobs end, their results can't be written, and the workers keep them.
    open(gate, "w").close()
    for worker in workers:
        home.await_log(worker, "database.trouble")
        until(lambda worker=worker: "unwritten=2" in goes_on(home, worker), "both results to be kept")  # type: ignore[misc]
    assert {job["state"] for job in home.document("list", "--limit", "0")} == {"processing", "pending", "scheduled"}
    for worker in workers:
        worker.terminate()
    assert [worker.wait(30) for worker in workers] == [1, 1], "they say that results were lost"
    mended(home, run)
    home.worker("--instance", "0")
    for job in (*runs, waits):
        assert home.ended(job).state.value == "completed"
    assert home.queue.get(later).state.value == "scheduled"
    home.cli("db", "check")
    home.close()


def workers_without_jobs(run: str) -> None:
    home = Home(os.path.join(run, "home"))
    leader = home.worker("--instance", "0")
    home.await_log(leader, "leader.elected")
    other = home.worker("--instance", "1")
    assert break_disk(run)
    leader.kill()
    home.await_log(other, "leader.elected")
    home.await_log(other, "database.trouble")
    goes_on(home, other)
    # What it can't remove it leaves.
    other.terminate()
    assert other.wait(30) == 0
    mended(home, run)
    home.worker("--instance", "1")
    assert home.ended(home.enqueue("true")).state.value == "completed"
    home.close()


def mended(home: Home, run: str) -> None:
    home.queue.close()
    until(lambda: unmount_disk(run), "nobody to use the disk")
    check_disk(run)
    mount_disk(run)


@pytest.mark.skipif(not can_have_disk(), reason="needs root, and a loop device")
@pytest.mark.parametrize("scene", [workers_with_jobs, workers_without_jobs])
def test_a_disk_that_turns_read_only_ends_no_worker_and_loses_nothing(scene, tmp_path: Path) -> None:
    run = str(tmp_path)
    (tmp_path / "home").mkdir()
    make_disk(run)
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", IN_A_NAMESPACE, scene.__name__, run],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
