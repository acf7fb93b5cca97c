"""The wall clock steps by an hour, or to summer time and back, while jobs run: no timeout fires early, nobody is taken
for dead, nothing runs twice."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import time
from datetime import datetime
from pathlib import Path

import psutil
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
    workers = [home.worker("--instance", str(n), concurrency=2, job_lock_timeout="10s") for n in range(2)]
    jobs = [home.enqueue(f"until [ -e {gate} ]; do sleep 0.1; done", timeout=600) for _ in range(3)]
    until(lambda: all(home.queue.get(job).state.value == "processing" for job in jobs), "all to run")
    clock.step(hours * HOUR)
    # Longer than the leader takes to look for the dead.
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


def test_a_machine_that_slept_for_hours_goes_on_where_it_was(home: Home, clock: Clock) -> None:
    """As processes see it: all stand still, and when they go on the wall clock has moved, but not the monotonic one."""
    gate = os.path.join(home.path, "gate")
    workers = [home.worker("--instance", str(n), concurrency=2, job_lock_timeout="10s") for n in range(2)]
    running = [home.enqueue(f"until [ -e {gate} ]; do sleep 0.1; done", timeout=60) for _ in range(3)]
    # All of these come due while it sleeps; some are retries.
    late = [home.enqueue("true", delay="1h") for _ in range(20)]
    again = home.enqueue('[ "$QUEUECTL_ATTEMPT" = 2 ]', backoff_base=1000, backoff_max=HOUR, backoff_jitter=0)
    until(lambda: all(home.queue.get(job).state.value == "processing" for job in running), "all to run")
    home.in_state(again, "failed")
    tree = [process for worker in workers for process in psutil.Process(worker.pid).children(recursive=True)]
    everything = [*(worker.pid for worker in workers), *(process.pid for process in tree)]
    for pid in everything:
        os.kill(pid, signal.SIGSTOP)
    clock.step(8 * HOUR)
    for pid in reversed(everything):
        with contextlib.suppress(ProcessLookupError):  # a `sleep` of a job that was frozen before its parent
            os.kill(pid, signal.SIGCONT)
    for job in (*late, again):
        assert home.ended(job).state.value == "completed"
    open(gate, "w").close()
    assert [home.ended(job).attempts for job in (*running, *late, again)] == [1] * 23 + [2]
    assert [worker.poll() for worker in workers] == [None, None]


# When the clocks of Berlin go forward, and back.
CHANGES = {"to summer time": "2026-03-29T01:00:00+00:00", "to winter time": "2026-10-25T01:00:00+00:00"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_daylight_saving_time_is_none_for_jobs(home: Home, clock: Clock, change: str) -> None:
    """Local time jumps while an attempt runs and another waits for its retry, and a third for a moment behind it."""
    home.environment["TZ"] = "Europe/Berlin"
    moment = datetime.fromisoformat(CHANGES[change]).timestamp()
    clock.step(round(moment - time.time()) - 3)
    worker = home.worker()

    def offset() -> bytes:
        return subprocess.run(["date", "+%z"], env=home.environment, capture_output=True, check=True).stdout

    before = offset()
    gate = os.path.join(home.path, "gate")
    runs = home.cli("enqueue", "--timeout", "60s", "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.1; done").strip()
    again = ["--max-retries", "1", "--", "sh", "-c", '[ "$QUEUECTL_ATTEMPT" = 2 ]']
    retried = home.cli("enqueue", *again).strip()
    delayed = home.cli("enqueue", "--delay", "6s", "--", "true").strip()
    until(lambda: offset() != before, "the clocks to change")
    open(gate, "w").close()
    home.cli("wait", runs, retried, delayed, "--timeout", "30")
    found = [home.document("show", job) for job in (runs, retried, delayed)]
    assert [(job["state"], job["attempts"]) for job in found] == [("completed", 1), ("completed", 2), ("completed", 1)]
    started, due = (datetime.fromisoformat(found[2][key]) for key in ("started_at", "run_at"))
    assert 0 <= (started - due).total_seconds() < 10
    assert worker.poll() is None
