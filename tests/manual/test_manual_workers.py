"""The manual's lines about workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from manual_lines import manual
from real_home import alive, sleepers, until


def supervisord(shell) -> int:
    with open(os.path.join(shell.home, "supervisor", "supervisord.pid")) as file:
        return int(file.read())


@pytest.fixture
def seconds() -> str:
    """How long this test's job sleeps: a number that no other's has."""
    return f"7{time.monotonic_ns() % 10**8}"


@manual("queuectl worker start", "queuectl worker start --count 3", "queuectl worker start --count 5")
def test_start_returns_and_that_many_processes_live(shell, line):
    count = int(line.split()[-1]) if "--count" in line else 1
    shell(line)
    assert shell.workers() == [f"default-{number}" for number in range(count)]
    pids = shell.pids()
    assert len(set(pids)) == count
    shell(line)  # what runs already is no error
    assert shell.pids() == pids
    assert shell.ended(shell.enqueue("echo well"))["state"] == "completed"


@manual("queuectl worker start --no-detach")
def test_in_the_foreground_it_runs_jobs_until_it_is_told_to_end(shell, line):
    job = shell.enqueue("echo well")
    process = subprocess.Popen(line.split(), cwd=shell.directory, env=shell.environment, stderr=subprocess.DEVNULL)
    try:
        assert shell.ended(job)["output"] == "well\n"
        assert process.poll() is None
        assert not os.path.exists(os.path.join(shell.home, "supervisor", "supervisord.pid"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@manual("queuectl worker stop", "queuectl worker stop --timeout 60")
def test_stop_waits_for_the_jobs(shell, line):
    shell("queuectl worker start --count 2")
    job = shell.enqueue("sleep 1.5; echo well")
    shell.in_state(job, "processing")
    pids, daemon = shell.pids(), supervisord(shell)
    shell(line)
    assert not any(alive(pid) for pid in [*pids, daemon])
    assert (shell.pids(), shell.job(job)["output"]) == ([], "well\n")
    shell(line)  # stopping nothing is fine


@manual("queuectl worker stop --force")
def test_stop_by_force_does_not_wait(shell, line, seconds):
    shell("queuectl worker start")
    job = shell.enqueue(f"sleep {seconds}")
    until(lambda: sleepers(seconds), "the job to run")
    pids = [*shell.pids(), supervisord(shell)]
    shell(line)
    assert not any(alive(pid) for pid in [*pids, *sleepers(seconds)])
    found = shell.job(job)
    assert (found["state"], found["attempts"]) == ("pending", 0)


@manual("queuectl worker status")
def test_status_before_while_and_after_they_run(shell, line):
    assert shell.document(line) == [] or all(worker["pid"] is None for worker in shell.document(line))
    shell("queuectl worker start --count 2")
    said = shell(line)
    assert all(str(pid) in said for pid in shell.pids())
    assert said.count(" running ") == 2
    shell("queuectl worker stop")
    assert " running " not in shell(line)


@manual("queuectl worker start")
def test_a_restart_gives_new_workers_and_no_job_stays_behind(shell, line, seconds):
    """What the manual advises where workers don't start, and where jobs stay in processing."""
    shell(line)
    job = shell.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {seconds}')
    until(lambda: sleepers(seconds), "the job to run")
    before = shell.pids()
    for pid in [supervisord(shell), *before]:
        os.kill(pid, signal.SIGKILL)
    shell("queuectl status")
    shell("queuectl worker stop")
    shell(line)
    assert set(shell.pids()).isdisjoint(before)
    assert shell.ended(job)["state"] == "completed"
    assert sleepers(seconds) == []


@manual("ls -la ~/.queuectl/")
def test_the_home_is_where_it_always_was(shell, line):
    shell.enqueue("true")
    said = shell(line)
    assert "queue.db" in said
    assert said.splitlines()[1].startswith("drwx------")


@manual("rm -rf ~/.queuectl/", "rm -rf ~/.queuectl")
def test_the_home_can_be_removed_and_the_next_command_starts_afresh(shell, line):
    shell.enqueue("true", id="old")
    shell("queuectl worker start --count 2")
    pids = [*shell.pids(), supervisord(shell)]
    shell(line)
    assert not os.path.exists(shell.home)
    until(lambda: not any(alive(pid) for pid in pids), "the workers and supervisord to end")
    assert not os.path.exists(shell.home)
    assert shell.jobs() == []
    shell("queuectl worker start")
    job = shell.enqueue("echo well", id="old")
    assert shell.ended(job)["output"] == "well\n"
