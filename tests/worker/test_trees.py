"""Nothing that a job started outlives its attempt."""

from __future__ import annotations

import os
import signal
import time

import pytest
from real_home import sleepers, until

TREES = {
    "a child in the background": "(sleep {n} & sleep {n}; echo done)",
    "all ignore TERM": "trap '' TERM; (sleep {n} & sleep {n}; echo done)",
    "one left the session": "setsid sleep {n} & sleep {n}",
    "all left the session and ignore TERM": "trap '' TERM; setsid sh -c 'sleep {n} & sleep {n}' & sleep {n}",
    "one forked twice and wiped its environment": "(setsid sh -c 'env -i sleep {n} & env -i sleep {n} &' &); sleep {n}",
    "one wiped its limit": "(setsid sh -c 'ulimit -R unlimited; sleep {n} &' &); sleep {n}",
}


@pytest.mark.parametrize("tree", TREES)
def test_a_timeout_leaves_no_process(home, tree):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(TREES[tree].format(n=number), timeout=1, max_retries=0, kill_grace="300ms")
    home.worker()
    until(lambda: sleepers(number), "the job to start its processes")
    ended = home.ended(job)
    assert (ended.state.value, ended.last.outcome.value) == ("dead", "timeout")
    assert ended.last.error == "timed out after 1 s"
    assert sleepers(number) == []


def test_what_a_successful_job_leaves_behind_is_ended_before_it_is_completed(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f"setsid sh -c 'env -i sleep {number} &' & sleep 0.2; exit 0", kill_grace="300ms")
    home.worker()
    assert home.ended(job).state.value == "completed"
    assert sleepers(number) == []


def test_a_neighbour_is_left_alone(home):
    ours, theirs = (f"6{time.monotonic_ns() % 10**7}{digit}" for digit in "12")
    neighbour = home.enqueue(f"setsid sh -c 'env -i sleep {theirs} &' & sleep {theirs}")
    home.worker()
    until(lambda: len(sleepers(theirs)) == 2, "the neighbour's processes")
    job = home.enqueue(f"sleep {ours} & sleep {ours}", timeout="300ms", max_retries=0)
    assert home.ended(job).state.value == "dead"
    assert sleepers(ours) == []
    assert len(sleepers(theirs)) == 2
    assert home.queue.get(neighbour).state.value == "processing"


def test_a_running_job_that_is_cancelled_ends_cancelled_whatever_it_exits_with(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f"trap 'exit 0' TERM; sleep {number} & wait")
    home.worker()
    until(lambda: sleepers(number), "the job to start")
    home.cli("cancel", job)
    ended = home.ended(job)
    assert (ended.state.value, ended.last.outcome.value) == ("cancelled", "cancelled")
    assert sleepers(number) == []


def test_a_job_finds_the_environment_of_the_service_and_none_of_its_own_business(home):
    job = home.enqueue("env; umask; ls -l /proc/self/fd | wc -l", env={"COLOUR": "blue"}, cwd="/usr")
    home.environment |= {"SUPERVISOR_ENABLED_NOT": "1", "NOTIFY_SOCKET": "/x", "KEPT": "yes"}
    home.worker(max_retries="7")
    output = home.ended(job).last.tail.decode()
    lines = output.splitlines()
    assert {"COLOUR=blue", "KEPT=yes", "PWD=/usr", f"QUEUECTL_JOB_ID={job}", "QUEUECTL_ATTEMPT=1"} <= set(lines)
    assert {"QUEUECTL_QUEUE=default", "QUEUECTL_POOL=default", "QUEUECTL_SLOT=0"} <= set(lines)
    assert f"QUEUECTL_HOME={home.path}" in lines
    assert not [line for line in lines if line.startswith(("NOTIFY_SOCKET", "QUEUECTL_MAX", "QUEUECTL_LOG"))]
    assert "0022" in lines
    # 0, 1, 2, the one that ls reads the directory with, and the line "total": no lock, no socket.
    assert lines[-1] == "5"


def test_a_job_stays_processing_while_one_of_its_processes_may_not_be_signalled(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    # A worker without CAP_KILL beside another user's process: as a person's worker beside what sudo started.
    home.before_worker = ["setpriv", "--bounding-set=-kill"]
    job = home.enqueue(f"setpriv --reuid=65534 sleep {number}; exit 4", timeout=1, max_retries=0, kill_grace="100ms")
    worker = home.worker()
    line = home.await_log(worker, "job.stuck")
    [pid] = sleepers(number)
    assert f"pids={pid}" in line
    found = until(lambda: job_ if (job_ := home.queue.get(job)).reason else None, "the reason to be written")
    assert (found.state.value, found.reason) == ("processing", f"can't be ended: no permission to signal pid {pid}")
    os.kill(pid, signal.SIGKILL)
    ended = home.ended(job)
    assert (ended.state.value, ended.reason, ended.last.outcome.value) == ("dead", None, "timeout")
