"""What queuectl promises, each tried with real workers under a real supervisord.

As a script, `python tests/test_validation.py`, it prints a checklist; pytest collects the same checks.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

import checklist
from real_home import Home, alive, fresh_home, sleepers, until


def workers(home: Home) -> list[int]:
    return [each["pid"] for each in home.document("worker", "status") if each["pid"] is not None]


def supervisord(home: Home) -> int:
    with open(os.path.join(home.path, "supervisor", "supervisord.pid")) as file:
        return int(file.read())


def odd() -> str:
    """How long a job sleeps: a number by which its process is found."""
    return f"8{time.monotonic_ns() % 10**8}"


def moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_jobs_are_stored() -> None:
    with fresh_home() as home:
        given = {"id": "report", "command": "echo report", "max_retries": 5, "timeout": 30, "priority": 7}
        home.cli("enqueue", "-", given=str(given).replace("'", '"'))
        found = home.document("show", "report")
        assert {key: found[key] for key in given} == given
        assert (found["state"], found["attempts"]) == ("pending", 0)
        home.cli("enqueue", "-", given=str(given).replace("'", '"'), code=1)
        home.cli("enqueue", '{"comand": "echo"}', code=2)
        assert [job["id"] for job in home.document("list")] == ["report"]


def test_workers_are_concurrent() -> None:
    with fresh_home() as home:
        home.cli("worker", "start", "--count", "3")
        assert len(set(workers(home))) == 3
        number = odd()
        jobs = [home.enqueue(f"sleep {number}") for _ in range(3)]
        until(lambda: len(sleepers(number)) == 3, "three jobs to run at once")
        last = [home.queue.attempts(job)[-1] for job in jobs]
        assert len({attempt.worker for attempt in last}) == 3
        for job in jobs:
            home.cli("cancel", job)
        until(lambda: not sleepers(number), "the jobs to end")


def test_failed_jobs_are_retried_with_backoff() -> None:
    with fresh_home() as home:
        home.cli("worker", "start")
        job = home.enqueue('test "$QUEUECTL_ATTEMPT" = 3', max_retries=3, backoff_base=1.5, backoff_jitter=0)
        ended = home.ended(job)
        assert (ended.state.value, ended.attempts) == ("completed", 3)
        log = home.document("show", job)["attempts_log"]
        assert [each["exit_code"] for each in log] == [1, 1, 0]
        waits = [moment(b["started_at"]) - moment(a["finished_at"]) for a, b in pairwise(log)]
        # 1.5 and 2.25 seconds, and what a loaded machine adds.
        assert waits[0] >= 1.5, waits
        assert waits[1] >= max(2.25, waits[0] + 0.3), waits


def test_exhausted_jobs_are_in_the_dlq() -> None:
    with fresh_home() as home:
        home.cli("worker", "start")
        lost = home.enqueue("echo no luck; exit 3", max_retries=2, backoff_max=0.1)
        once = home.enqueue("exit 3", max_retries=0)
        home.enqueue("true")
        assert [(home.ended(job).state.value, home.ended(job).attempts) for job in (lost, once)] == [
            ("dead", 3),
            ("dead", 1),
        ]
        assert {job["id"] for job in home.document("dlq", "list")} == {lost, once}
        assert home.document("show", lost)["output"] == "no luck\n"


def test_data_survives_a_restart() -> None:
    with fresh_home() as home:
        home.cli("worker", "start")
        done = home.enqueue("echo kept")
        home.ended(done)
        later = home.enqueue("echo later", delay=3600)
        number = odd()
        running = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" != 1 ] || sleep {number}')
        home.in_state(running, "processing")
        home.cli("worker", "stop", "--force")
        assert [home.document("show", job)["state"] for job in (done, later, running)] == [
            "completed",
            "scheduled",
            "pending",
        ]
        assert home.document("show", done)["output"] == "kept\n"
        home.cli("cancel", running)
        home.cli("worker", "start")
        assert home.ended(home.enqueue("true")).state.value == "completed"


def test_data_survives_kill_9_of_workers_and_supervisord() -> None:
    with fresh_home() as home:
        home.cli("worker", "start", "--count", "2")
        number = odd()
        running = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}', backoff_max=0.1)
        waiting = [home.enqueue("echo here", delay=1) for _ in range(5)]
        until(lambda: sleepers(number), "the job to run")
        killed = [supervisord(home), *workers(home)]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in killed), "all of them to be dead")
        home.cli("worker", "start", "--count", "2")
        assert [home.ended(job).state.value for job in [running, *waiting]] == ["completed"] * 6
        assert sleepers(number) == []
        # The crash counts as an attempt, and it ended before the next one began.
        first, second = home.document("show", running)["attempts_log"]
        assert (first["outcome"], second["outcome"]) == ("crashed", "completed")
        assert first["finished_at"] <= second["started_at"]


def test_no_job_runs_twice() -> None:
    with fresh_home() as home:
        home.cli("config", "set", "pools.default.concurrency", "4")
        home.cli("worker", "start", "--count", "3")
        trace = os.path.join(home.path, "trace")
        jobs = home.queue.enqueue_many([f"echo {number} >> {trace}" for number in range(300)])
        for number in range(300, 330):
            home.cli("enqueue", "--", "sh", "-c", f"echo {number} >> {trace}")
        until(lambda: home.document("status")["jobs"]["completed"] == 330, "all to be completed", 60)
        with open(trace) as file:
            assert Counter(map(int, file)) == Counter(range(330))
        assert {len(home.queue.attempts(job)) for job in jobs} == {1}


def test_a_graceful_stop_preserves_jobs() -> None:
    with fresh_home() as home:
        home.cli("worker", "start")
        ends = home.enqueue("sleep 1.5; echo well")
        home.in_state(ends, "processing")
        queued = home.enqueue("echo next")
        pids = [*workers(home), supervisord(home)]
        home.cli("worker", "stop")
        assert not any(alive(pid) for pid in pids)
        assert (home.queue.get(ends).state.value, home.document("show", ends)["output"]) == ("completed", "well\n")
        assert home.queue.get(queued).state.value == "pending"
        # One that takes too long is given back, and it doesn't count as an attempt.
        home.cli("cancel", queued)
        home.cli("worker", "start")
        number = odd()
        long = home.enqueue(f"sleep {number}")
        until(lambda: sleepers(number), "the job to run")
        home.cli("worker", "stop", "--timeout", "0.2s")
        found = home.queue.get(long)
        assert (found.state.value, found.attempts, sleepers(number)) == ("pending", 0, [])


CHECKS = {
    "jobs are stored": test_jobs_are_stored,
    "workers run jobs concurrently": test_workers_are_concurrent,
    "failed jobs are retried with exponential backoff": test_failed_jobs_are_retried_with_backoff,
    "exhausted jobs are in the DLQ": test_exhausted_jobs_are_in_the_dlq,
    "data survives a restart of workers and supervisord": test_data_survives_a_restart,
    "data survives kill -9 of workers and supervisord": test_data_survives_kill_9_of_workers_and_supervisord,
    "no job runs twice": test_no_job_runs_twice,
    "a graceful stop preserves running jobs": test_a_graceful_stop_preserves_jobs,
}

if __name__ == "__main__":
    sys.exit(checklist.run("What queuectl promises", CHECKS))
