"""What a worker takes doesn't grow with the jobs that it has done."""

from __future__ import annotations

import os
from subprocess import Popen

from real_home import Home, until

JOBS = 1500
MIB = 2**20


def resident(worker: Popen[bytes]) -> int:
    with open(f"/proc/{worker.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def entries(worker: Popen[bytes], directory: str) -> int:
    return len(os.listdir(f"/proc/{worker.pid}/{directory}"))


def do(home: Home, jobs: int) -> None:
    home.queue.enqueue_many([{"command": "echo some output; exit 0"}] * jobs)
    left = "SELECT sum(n) FROM job_counts WHERE state NOT IN ('completed')"
    until(lambda: not home.queue.database.rows(left)[0][0], "all to be done", 60)


def test_threads_files_memory_and_the_databases_log_stay_within_bounds(home: Home) -> None:
    workers = [home.worker("--instance", str(number), log_level="info") for number in range(2)]
    do(home, JOBS)
    before = [(resident(worker), entries(worker, "fd")) for worker in workers]
    do(home, JOBS)
    for worker, (memory, files) in zip(workers, before, strict=True):
        assert entries(worker, "task") == 1
        assert entries(worker, "fd") <= files + 2  # of its slots
        assert resident(worker) - memory < 4 * MIB

    def pages_of_the_log() -> int:
        home.ended(home.enqueue("true"))
        return int(home.queue.database.rows("PRAGMA wal_checkpoint(noop)")[0][1])

    # Beyond 4 MiB the leader brings it into the database, each second, and SQLite begins anew at its start.
    assert os.stat(home.queue.database.path + "-wal").st_size > 4 * MIB
    until(lambda: pages_of_the_log() < MIB // 4096, "the log to begin anew")
