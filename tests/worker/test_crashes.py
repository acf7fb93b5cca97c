"""kill -9 of a worker: its jobs' processes die first, then the jobs run again."""

from __future__ import annotations

import os
import signal
import time

from real_home import sleepers, until


def test_a_killed_workers_job_runs_again_only_after_its_processes_are_dead(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    trace = os.path.join(home.path, "trace")
    job = home.enqueue(
        f'echo "begin $QUEUECTL_ATTEMPT $(pgrep -xc sleep)" >> {trace}; '
        f'if [ "$QUEUECTL_ATTEMPT" = 1 ]; then setsid env -i sleep {number} & sleep {number}; fi'
    )
    first = home.worker("--instance", "0")
    until(lambda: len(sleepers(number)) == 2, "the job to run")
    first.kill()
    first.wait()
    assert len(sleepers(number)) == 2, "the processes of a killed worker's job live on"
    home.worker("--instance", "0")
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts) == ("completed", 2)
    assert sleepers(number) == []
    log = home.document("show", job)["attempts_log"]
    assert [(each["number"], each["outcome"]) for each in log] == [(1, "crashed"), (2, "completed")]
    assert log[0]["error"] == f"its worker default-0 (pid {first.pid}) died"
    assert log[0]["finished_at"] <= log[1]["started_at"]


def test_a_worker_that_dies_before_it_wrote_the_pid_down_loses_nothing(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    # The shell's parent is the worker: it is dead long before the 50 ms after which it writes pids down.
    job = home.enqueue(f'if [ "$QUEUECTL_ATTEMPT" = 1 ]; then kill -9 $PPID; sleep {number}; fi', backoff_base=1)
    first = home.worker("--instance", "0")
    first.wait(10)
    assert home.queue.attempts(job)[0].pid is None
    home.worker("--instance", "0")
    assert home.ended(job).state.value == "completed"
    assert sleepers(number) == []


def test_a_job_that_kills_its_worker_ends_in_the_dlq(home):
    job = home.enqueue("kill -9 $PPID", max_retries=1, backoff_base=1, backoff_max=0)
    for _ in range(2):
        home.worker("--instance", "0").wait(10)
    home.worker("--instance", "0")
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts, ended.last.outcome.value) == ("dead", 2, "crashed")


def test_what_a_crashed_attempt_wrote_is_kept(home):
    job = home.enqueue("echo before the end; kill -9 $PPID", max_retries=0)
    home.worker("--instance", "0").wait(10)
    home.worker("--instance", "0")
    assert home.ended(job).last.tail == b"before the end\n"


def test_another_worker_recovers_the_jobs_of_a_dead_one(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}', backoff_base=1, backoff_max=0)
    first = home.worker("--instance", "0", concurrency=1)
    until(lambda: sleepers(number), "the job to run")
    home.worker("--instance", "1", concurrency=1)
    first.kill()
    ended = home.ended(job)
    assert (ended.state.value, ended.last.worker) == ("completed", "default-1")
    assert sleepers(number) == []


def test_a_stopped_worker_is_ended_and_its_job_runs_elsewhere(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}', backoff_base=1, backoff_max=0)
    first = home.worker("--instance", "0", concurrency=1, job_lock_timeout="1s")
    until(lambda: sleepers(number), "the job to run")
    home.worker("--instance", "1", concurrency=1, job_lock_timeout="1s")
    first.send_signal(signal.SIGSTOP)
    assert first.wait(10) == -signal.SIGKILL
    assert home.ended(job).last.worker == "default-1"
    assert sleepers(number) == []


def test_a_lone_worker_that_is_stopped_is_ended_and_its_successor_says_so(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}', backoff_base=1, backoff_max=0)
    first = home.worker("--instance", "0", job_lock_timeout="1s")
    until(lambda: sleepers(number), "the job to run")
    # Also after a reload: an exec takes the timer away.
    first.send_signal(signal.SIGHUP)
    home.await_log(first, "worker.reloaded")
    first.send_signal(signal.SIGSTOP)
    assert first.wait(10) == -signal.SIGKILL
    line = home.await_log(home.start("--instance", "0", job_lock_timeout="1s"), "worker.hung")
    assert f"pid={first.pid}" in line
    assert home.ended(job).attempts == 2
    assert sleepers(number) == []


def test_a_program_that_hangs_when_it_takes_over_is_ended(home, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "if 'QUEUECTL_HANDOVER' in os.environ:\n"
        "    print(' it hangs', file=sys.stderr)\n"
        "    time.sleep(600)\n"
    )
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}', backoff_base=1, backoff_max=0)
    home.environment["PYTHONPATH"] = str(tmp_path)
    first = home.worker("--instance", "0", job_lock_timeout="1s")
    until(lambda: sleepers(number), "the job to run")
    first.send_signal(signal.SIGHUP)
    home.await_log(first, "it hangs")
    assert first.wait(10) == -signal.SIGALRM
    del home.environment["PYTHONPATH"]
    home.worker("--instance", "0")
    assert home.ended(job).attempts == 2
    assert sleepers(number) == []


def test_a_second_process_of_the_same_name_waits_and_says_so(home):
    first = home.worker("--instance", "0")
    second = home.start("--instance", "0")
    line = home.await_log(second, "worker.waiting")
    assert f"pid {first.pid}" in line
    first.send_signal(signal.SIGTERM)
    home.await_log(second, "worker.started")


def test_a_worker_that_waits_for_its_name_can_be_stopped(home):
    home.worker("--instance", "0")
    second = home.start("--instance", "0")
    home.await_log(second, "worker.waiting")
    second.send_signal(signal.SIGTERM)
    assert second.wait(5) == 0


def test_a_worker_that_was_killed_when_idle_leaves_nothing(home):
    first = home.worker("--instance", "0")
    home.ended(home.enqueue("true"))
    first.kill()
    first.wait()
    assert [name for name in os.listdir(os.path.join(home.path, "output")) if name.startswith("+")], "its spool"
    second = home.start("--instance", "1")
    assert f"worker=default-0 pid={first.pid}" in home.await_log(second, "worker.died")
    until(lambda: os.listdir(os.path.join(home.path, "output")) == [], "the spool to be removed")
    rows = home.queue.database.rows
    until(lambda: rows("SELECT count(*) FROM workers WHERE ended_at IS NULL") == [(1,)], "its end to be written down")
