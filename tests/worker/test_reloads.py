"""HUP: another program or configuration under the same PID, while the jobs run on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from real_home import QUEUECTL, alive, sleepers, until


def test_a_timeout_goes_on_over_a_reload(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker()
    job = home.enqueue(f"setsid sleep {number} & sleep {number}", timeout="1500ms", max_retries=0)
    until(lambda: len(sleepers(number)) == 2, "the job's processes")
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")
    ended = home.ended(job)
    assert ended.last.error == "timed out after 1.5 s"
    assert 1500 <= ended.last.finished_at - ended.last.started_at < 3000
    assert sleepers(number) == []


def test_an_end_that_was_begun_goes_on_over_a_reload(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker()
    job = home.enqueue(f"trap 'echo told' TERM; while :; do sleep {number}; done", kill_grace="1500ms")
    until(lambda: sleepers(number), "the job's processes")
    home.queue.cancel(job)
    until(lambda: "told" in home.cli("logs", job), "TERM to arrive")
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")
    ended = home.ended(job)
    assert ended.state.value == "cancelled"
    assert ended.last.tail.count(b"told") == 1, "TERM is sent once"
    assert sleepers(number) == []


def test_new_settings_hold_after_a_reload(home):
    worker = home.worker(concurrency=1)
    first = home.enqueue("sleep 5")
    home.in_state(first, "processing")
    second = home.enqueue("true")
    home.cli("config", "set", "pools.default.concurrency", "2")
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")
    assert home.ended(second).state.value == "completed"
    assert home.queue.get(first).state.value == "processing"


def test_a_broken_configuration_is_refused_and_the_old_one_stays(home):
    worker = home.worker()
    job = home.enqueue("sleep 1; echo whole")
    home.in_state(job, "processing")
    with open(os.path.join(home.path, "config.d", "99-broken.yaml"), "w") as file:
        file.write("max_retrys: 5\n")
    worker.send_signal(signal.SIGHUP)
    assert "max_retries" in home.await_log(worker, "worker.reload_refused")
    assert home.ended(job).last.tail == b"whole\n"
    os.unlink(os.path.join(home.path, "config.d", "99-broken.yaml"))
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")


def test_leftovers_of_a_job_are_found_after_a_reload(home):
    number = f"6{time.monotonic_ns() % 10**8}"
    worker = home.worker()
    job = home.enqueue(f"(setsid sh -c 'env -i sleep {number} &' &); sleep 1")
    until(lambda: sleepers(number), "the job's processes")
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")
    assert home.ended(job).state.value == "completed"
    assert sleepers(number) == []


def test_a_reloaded_worker_stops_as_any_other(home):
    worker = home.worker()
    job = home.enqueue("sleep 1")
    home.in_state(job, "processing")
    worker.send_signal(signal.SIGHUP)
    home.await_log(worker, "worker.reloaded")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert home.queue.get(job).state.value == "completed"
    assert os.listdir(os.path.join(home.path, "locks")) == ["leader.lock"]


def test_reload_of_supervised_workers_keeps_their_pids_and_jobs(home):
    home.cli("worker", "start", "--count", "2")
    before = {each["name"]: each["pid"] for each in home.document("worker", "status")}
    job = home.enqueue("sleep 2; echo whole")
    home.in_state(job, "processing")
    home.cli("worker", "reload")
    ended = home.ended(job)
    assert (ended.attempts, ended.last.tail) == (1, b"whole\n")
    assert {each["name"]: each["pid"] for each in home.document("worker", "status")} == before
    assert all(alive(pid) for pid in before.values())
    # It returns when they have begun anew, not when they were told to.
    assert all("worker.reloaded" in home.cli("worker", "logs", name) for name in before)


def test_reload_says_where_a_worker_goes_on_as_it_was(home):
    home.cli("worker", "start")
    [before] = home.document("worker", "status")
    with open(os.path.join(home.path, "queuectl.yaml"), "w") as file:
        file.write("max_retrys: 5\n")
    sound = os.path.join(home.path, "sound.yaml")
    open(sound, "w").close()
    done = subprocess.run(
        [QUEUECTL, "--config", sound, "worker", "reload"], env=home.environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "default-0 goes on as it was" in done.stderr
    assert "did you mean 'max_retries'?" in done.stderr
    [after] = json.loads(home.cli("--config", sound, "worker", "status", "--json"))
    assert (after["pid"], after["uptime"] >= before["uptime"]) == (before["pid"], True)


def test_a_worker_begins_anew_after_so_many_jobs_and_no_job_notices(home):
    worker = home.worker(max_jobs_per_worker="5")
    long = home.enqueue("sleep 2; echo whole")
    jobs = [home.enqueue("true") for _ in range(12)]
    home.await_log(worker, "worker.recycled")
    home.await_log(worker, "worker.reloaded")
    assert [home.ended(job).state.value for job in jobs] == ["completed"] * 12
    ended = home.ended(long)
    assert (ended.attempts, ended.last.tail) == (1, b"whole\n")
    assert worker.poll() is None


def test_a_check_makes_nothing(home):
    os.rmdir(home.path)
    home.cli("worker", "check")
    assert not os.path.exists(home.path)
