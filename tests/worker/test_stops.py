"""Stopping: jobs end, or are given back."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time

from real_home import sleepers, until


def running(home, command: str, **keys: object) -> str:
    """Enqueue a job and return once it runs."""
    job = home.enqueue(command, **keys)
    home.in_state(job, "processing")
    return job


def test_term_lets_the_jobs_end(home):
    worker = home.worker()
    job = running(home, "sleep 0.7; echo finished")
    later = home.enqueue("true", run_at="2099-01-01T00:00:00Z")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert home.queue.get(job).state.value == "completed"
    assert home.queue.get(later).state.value == "scheduled"


def test_a_stopping_worker_claims_nothing(home):
    worker = home.worker()
    running(home, "sleep 0.7")
    worker.send_signal(signal.SIGTERM)
    home.await_log(worker, "worker.stopping")
    job = home.enqueue("true")
    assert worker.wait(10) == 0
    assert home.queue.get(job).state.value == "pending"


def test_what_has_not_ended_in_time_is_given_back_uncounted(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker(shutdown_timeout="300ms")
    job = running(home, f"sleep {number}")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    found = home.queue.get(job)
    assert (found.state.value, found.attempts, found.last.outcome.value) == ("pending", 0, "released")
    assert sleepers(number) == []


def test_a_second_term_does_not_wait(home):
    worker = home.worker(shutdown_timeout="1h")
    job = running(home, "sleep 3600")
    worker.send_signal(signal.SIGTERM)
    home.await_log(worker, "worker.stopping")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert home.queue.get(job).state.value == "pending"


def test_quit_kills_without_grace(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker(shutdown_timeout="1h")
    job = running(home, f"trap '' TERM; sleep {number}", kill_grace="1h")
    until(lambda: sleepers(number), "the job's process")
    worker.send_signal(signal.SIGQUIT)
    assert worker.wait(10) == 0
    assert sleepers(number) == []
    assert home.queue.get(job).state.value == "pending"


def test_usr2_drains_but_stays(home):
    worker = home.worker()
    job = running(home, "sleep 0.5")
    worker.send_signal(signal.SIGUSR2)
    home.await_log(worker, "worker.draining")
    later = home.enqueue("true")
    home.ended(job)
    assert home.queue.get(later).state.value == "pending"
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0


def test_usr1_tells_what_runs(home):
    worker = home.worker()
    job = running(home, "sleep 5")
    worker.send_signal(signal.SIGUSR1)
    home.await_log(worker, "worker.state")
    assert f"id={job}" in home.await_log(worker, "worker.state")


def test_a_drain_ends_when_nothing_is_left_to_do(home):
    jobs = [home.enqueue("exit 1", max_retries=1, backoff_base=1, backoff_max="300ms"), home.enqueue("sleep 0.2")]
    later = home.enqueue("true", delay="1h")
    worker = home.worker("--drain")
    assert worker.wait(20) == 0
    assert [home.queue.get(job).state.value for job in jobs] == ["dead", "completed"]
    assert home.queue.get(later).state.value == "scheduled"


def test_a_result_survives_a_database_that_cannot_be_written(home):
    worker = home.worker()
    job = running(home, "sleep 0.3; exit 7", max_retries=0)
    with open(os.path.join(home.path, "write.lock"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home.await_log(worker, "database.trouble")
        assert home.queue.get(job).state.value == "processing"
    home.await_log(worker, "database.well")
    assert home.ended(job).last.exit_code == 7


def test_a_worker_whose_home_is_removed_ends_with_its_jobs(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker()
    running(home, f"sleep {number}")
    until(lambda: sleepers(number), "the job's process")
    shutil.rmtree(home.path)
    assert worker.wait(10) == 78
    assert sleepers(number) == []


def test_nothing_is_claimed_while_the_disk_is_nearly_full(home):
    job = home.enqueue("true")
    worker = home.worker(min_free_space="4000TiB")
    assert "worker.started" in home.lines[-1]
    home.await_log(worker, "disk.low")
    assert home.queue.get(job).state.value == "pending"


def test_ended_jobs_are_forgotten_in_time_with_their_output(home):
    job = home.enqueue("head -c 10000 /dev/zero")
    dead = home.enqueue("exit 1", max_retries=0)
    worker = home.worker(cleanup_completed_after_hours="0.0001", retention_dead="1h")
    home.ended(dead)
    home.await_log(worker, "leader.elected")
    # The leader looks once a minute; another one looks at once.
    until(lambda: home.queue.get(dead).finished_at + 500 < time.time() * 1000, "the time to pass")
    worker.send_signal(signal.SIGTERM)
    worker.wait(5)
    again = home.worker(cleanup_completed_after_hours="0.0001", retention_dead="1h")
    home.await_log(again, "leader.retention")
    until(lambda: not os.path.exists(os.path.join(home.path, "output", job)), "its output to be removed")
    assert home.cli("list", "-o", "id").split() == [dead]
