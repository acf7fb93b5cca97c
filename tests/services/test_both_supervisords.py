"""What workers do is the same under our own supervisord and under the system's: each test is run with both."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_home import alive, sleepers, until
from shared_supervisord import shared_supervisord
from supervised import Supervised, private_supervisord

THREE = ["default-0", "default-1", "default-2"]

TRACE = """
import os, signal, sys, time

def say(word):
    handle = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{word} {os.environ['QUEUECTL_ATTEMPT']}\\n".encode())
    os.close(handle)

def stop(*_):
    say("end")
    os._exit(1)

signal.signal(signal.SIGTERM, stop)
say("begin")
time.sleep(600 if os.environ["QUEUECTL_ATTEMPT"] == sys.argv[2] else 0.3)
say("end")
"""
"""A job that traces its beginning and its end in the file of its first argument; the attempt of the second is long."""


@pytest.fixture(params=[private_supervisord, shared_supervisord], ids=["private", "shared"])
def supervised(request: pytest.FixtureRequest) -> Iterator[Supervised]:
    with request.param() as made:
        yield made


def all_ready(supervised: Supervised) -> bool:
    """Whether all that supervisord runs serve."""
    found = supervised.processes()
    return len(found) == 3 and supervised.ready() == found


def test_both_say_the_same_of_three_workers(supervised: Supervised) -> None:
    supervised.install()
    pids = supervised.workers()
    assert list(pids) == THREE
    assert supervised.programs() == supervised.ready() == pids
    assert supervised.states() == dict.fromkeys(THREE, "running")
    assert "worker.started" in supervised.queuectl("worker", "logs", "default-1")
    # By hand it is the same.
    supervised.ctl("stop", "queuectl-default-1")
    assert supervised.states() == {"default-0": "running", "default-1": "stopped", "default-2": "running"}
    supervised.queuectl("worker", "start")
    after = supervised.workers()
    assert supervised.programs() == after
    assert {**after, "default-1": 0} == {**pids, "default-1": 0}
    assert after["default-1"] not in (None, pids["default-1"])


def test_a_killed_worker_is_ready_again_within_two_seconds_and_its_job_retried(supervised: Supervised) -> None:
    supervised.install()
    number = f"6{time.monotonic_ns() % 10**8}"
    job = supervised.enqueue("sh", "-c", f"[ $QUEUECTL_ATTEMPT -gt 1 ] || sleep {number}")
    worker = supervised.wait_job(job, "processing")["worker"]
    # The first has a job, and the others don't.
    for victim in (worker, *(name for name in THREE if name != worker)):
        before = supervised.ready()
        os.kill(before[victim], signal.SIGKILL)
        began = time.monotonic()
        until(lambda: supervised.ready().get(victim, before[victim]) != before[victim], "it is ready")  # noqa: B023
        assert time.monotonic() - began < 2
        after = supervised.workers()
        assert supervised.programs() == after
        assert {**after, victim: 0} == {**before, victim: 0}
    found = supervised.wait_job(job, "completed")
    assert (found["attempts"], [each["outcome"] for each in found["attempts_log"]]) == (2, ["crashed", "completed"])
    assert sleepers(number) == []


def test_twenty_kills_of_one_worker_do_not_end_the_pool(supervised: Supervised) -> None:
    supervised.install()
    killed: list[int] = []
    for _ in range(20):
        pid = until(lambda: (pid := supervised.processes()["default-0"]) not in killed and pid, "one to be killed")
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
        time.sleep(0.3)  # the pause is what is tested
    until(lambda: all_ready(supervised), "all are ready", 3 - 0.3)
    assert supervised.programs() == supervised.workers() == supervised.ready()
    assert len(set(killed)) == 20


@pytest.mark.parametrize("workers", [3, 1])
def test_a_stopped_worker_is_replaced_and_its_job_never_run_twice_at_once(supervised: Supervised, workers: int) -> None:
    supervised.configure("workers: 3", f"workers: {workers}")
    supervised.configure("kill_grace: 1", "kill_grace: 3\njob_lock_timeout: 2")
    supervised.install()
    before = supervised.ready()
    assert len(before) == workers
    traces = [Path(supervised.home) / f"trace-{number}" for number in range(workers)]
    jobs = [supervised.enqueue(sys.executable, "-c", TRACE, str(trace), "1") for trace in traces]
    until(lambda: all(trace.exists() and trace.read_text() for trace in traces), "all of them run")
    worker = supervised.wait_job(jobs[0], "processing")["worker"]
    os.kill(before[worker], signal.SIGSTOP)
    until(lambda: not alive(before[worker]), "it is killed")
    until(lambda: supervised.ready().get(worker, before[worker]) != before[worker], "it is ready again")
    after = supervised.workers()
    assert {**after, worker: 0} == {**before, worker: 0}
    found = supervised.wait_job(jobs[0], "completed")
    assert [each["outcome"] for each in found["attempts_log"]] == ["crashed", "completed"]
    assert traces[0].read_text().splitlines() == ["begin 1", "end 1", "begin 2", "end 2"]
    # Whoever wasn't stopped has noticed nothing.
    assert [trace.read_text() for trace in traces[1:]] == ["begin 1\n"] * (workers - 1)


WORKER_STOP = ["worker", "stop"]
BY_HAND: list[str] = []
"""`supervisorctl stop`, and nothing of queuectl."""


@pytest.mark.parametrize(
    ("words", "state", "seconds"),
    [
        pytest.param(WORKER_STOP, "completed", 20, id="worker stop"),
        pytest.param(BY_HAND, "completed", 20, id="supervisorctl stop"),
        pytest.param([*WORKER_STOP, "--timeout", "1"], "pending", 8, id="--timeout 1"),
        pytest.param([*WORKER_STOP, "--force"], "pending", 4, id="--force"),
    ],
)
def test_stop_returns_when_the_workers_are_gone(
    supervised: Supervised, words: list[str], state: str, seconds: float
) -> None:
    supervised.install()
    number = f"5.{time.monotonic_ns() % 10**8:08}"
    # Two that heed no TERM, one of them in a session of its own.
    job = supervised.enqueue("sh", "-c", f"trap '' TERM; setsid sleep {number} & sleep {number}; echo well")
    until(lambda: len(sleepers(number)) == 2, "the job runs")
    pids = supervised.ready()
    began = time.monotonic()
    if words:
        supervised.queuectl(*words)
    else:
        supervised.ctl("stop", *(f"queuectl-{name}" for name in pids))
    took = time.monotonic() - began
    assert not any(alive(pid) for pid in pids.values())
    assert sleepers(number) == []
    assert took < seconds
    assert supervised.ready() == {}
    assert supervised.states() == dict.fromkeys(THREE, "stopped")
    assert not any(supervised.programs().values())
    found = supervised.job(job)
    outcome, attempts = ("completed", 1) if state == "completed" else ("released", 0)
    assert (found["state"], found["attempts"]) == (state, attempts)
    assert [each["outcome"] for each in found["attempts_log"]] == [outcome]
    # It is started as if nothing had been.
    supervised.queuectl("worker", "start")
    assert supervised.programs() == supervised.workers() == supervised.ready()
    supervised.wait_job(job, "completed")


def test_scaling_under_load_keeps_the_first_and_loses_nothing(supervised: Supervised) -> None:
    supervised.configure("workers: 3", "workers: 2")
    supervised.install()
    before = supervised.workers()
    trace = Path(supervised.home) / "trace"
    supervised.enqueue_lines("".join(f"echo {number} >> {trace}; sleep 0.2\n" for number in range(200)))
    supervised.queuectl("worker", "scale", "default", "5")
    five = supervised.ready()
    assert len(five) == 5
    assert five == supervised.processes()
    assert five.items() >= before.items()
    supervised.queuectl("worker", "scale", "default", "2")
    assert not any(alive(pid) for name, pid in five.items() if name not in before)
    assert supervised.document("status")["jobs"]["pending"] > 0, "the load outlasts the scaling"
    assert supervised.workers() == supervised.programs() == before
    until(lambda: supervised.document("status")["jobs"]["completed"] == 200, "all are done", 90)
    assert Counter(trace.read_text().split()) == Counter(map(str, range(200)))
    jobs = supervised.document("list", "--limit", "0")
    assert {(job["state"], job["attempts"]) for job in jobs} == {("completed", 1)}
    served = {job["worker"] for job in jobs}
    assert served == set(five), "each of the five has served"


def test_reloads_hurt_no_job_and_keep_the_pids(supervised: Supervised) -> None:
    supervised.configure("workers: 3", "workers: 2, concurrency: 10")
    supervised.install()
    pids = supervised.ready()
    # Twenty at once: ten that outlast all reloads, and ten after ten that end between them.
    go = Path(supervised.home) / "go"
    wait = f"until [ -e {go} ]; do sleep 0.5; done; "
    supervised.enqueue_lines(
        "".join(
            f"echo begin {number}; sleep 3; {wait if number < 10 else ''}echo end {number}; exit {number}\n"
            for number in range(60)
        ),
        "--max-retries",
        "0",
    )
    until(lambda: supervised.document("status")["jobs"]["processing"] == 20, "twenty run")
    for pause in (0.1, 1):
        for _ in range(10):
            for pid in pids.values():
                os.kill(pid, signal.SIGHUP)
            time.sleep(pause)  # the pause is what is tested
    go.touch()
    counts = ("pending", "processing")
    until(
        lambda: (jobs := supervised.document("status")["jobs"]) and not any(jobs[each] for each in counts),
        "all have ended",
        60,
    )
    jobs = supervised.document("list", "--limit", "0")
    assert {(job["state"], job["exit_code"], job["attempts"], job["output"]) for job in jobs} == {
        ("dead" if number else "completed", number, 1, f"begin {number}\nend {number}\n") for number in range(60)
    }
    assert supervised.workers() == supervised.programs() == supervised.ready() == pids
    for name in pids:
        assert supervised.queuectl("worker", "logs", name, "--tail", "10000").count("worker.reloaded") >= 5


def test_a_database_that_is_not_there_yet_is_waited_for(supervised: Supervised) -> None:
    supervised.install()
    later = f"{supervised.home}/later"
    supervised.configure("kill_grace: 1", f"kill_grace: 1\ndatabase: sqlite:///{later}/queue.db")
    supervised.ctl("restart", "queuectl-default-0")
    until(lambda: "worker.waiting" in supervised.queuectl("worker", "logs", "default-0"), "it says so")
    pid = supervised.processes()["default-0"]
    os.mkdir(later, 0o700)
    until(lambda: supervised.states()["default-0"] == "running", "it serves")
    assert supervised.processes()["default-0"] == pid
