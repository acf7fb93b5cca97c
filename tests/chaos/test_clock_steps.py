"""The wall clock steps by an hour, either way, while jobs run: no timeout fires early, nobody is taken for dead."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from building import build
from real_home import Home, until

HOUR = 3600


class Clock:
    """The wall clock of the processes that are started with this environment."""

    def __init__(self, home: Home, place: Path) -> None:
        self._page = place / "conditions"
        self.step(0)
        home.environment |= {"LD_PRELOAD": build("conditions", str(place)), "CHAOS_CONDITIONS": str(self._page)}

    def step(self, seconds: int) -> None:
        self._page.write_bytes(struct.pack("<qq", seconds * 10**9, 0))


@pytest.fixture
def clock(home: Home, tmp_path: Path) -> Clock:
    return Clock(home, tmp_path)


def test_the_clock_of_these_tests_steps(home: Home, clock: Clock) -> None:
    def now() -> int:
        return int(subprocess.run(["date", "+%s"], env=home.environment, capture_output=True, check=True).stdout)

    before = now()
    clock.step(HOUR)
    assert now() - before in range(HOUR, HOUR + 60)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_ends_no_job_and_no_worker(home: Home, clock: Clock, hours: int) -> None:
    gate = os.path.join(home.path, "gate")
    workers = [home.worker("--instance", str(n), concurrency=2, job_lock_timeout="2s") for n in range(2)]
    jobs = [home.enqueue(f"until [ -e {gate} ]; do sleep 0.1; done", timeout=600) for _ in range(3)]
    until(lambda: all(home.queue.get(job).state.value == "processing" for job in jobs), "all to run")
    clock.step(hours * HOUR)
    # Longer than a worker's beat may stand still, and than the leader takes to look for the dead.
    late = [home.cli("enqueue", "--", "true").strip() for _ in range(3)]
    for _ in range(3):
        home.cli("enqueue", "--wait", "--", "sleep", "1")
    open(gate, "w").close()
    for job in (*jobs, *late):
        ended = home.ended(job)
        assert (ended.state.value, ended.attempts) == ("completed", 1)
    assert [worker.poll() for worker in workers] == [None, None]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_retry_waits_for_its_time_over_a_step_and_runs_once(home: Home, clock: Clock, hours: int) -> None:
    home.worker()
    job = home.enqueue('[ "$QUEUECTL_ATTEMPT" = 2 ]', backoff_base=1, backoff_max=1)
    home.in_state(job, "failed")
    clock.step(hours * HOUR)
    assert home.cli("enqueue", "--wait", "--", "true") is not None
    clock.step(0)
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts) == ("completed", 2)
