"""The whole of it: workers that a real supervisord runs, through the installed queuectl."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter

import psutil
import pytest
from real_home import QUEUECTL, alive, sleepers, until

from queuectl.pools.presence import Presence, sightings


def status(home) -> list[dict]:
    return home.document("worker", "status")


def pids(home) -> dict[str, int | None]:
    return {each["name"]: each["pid"] for each in status(home)}


def supervisord(home) -> int:
    with open(os.path.join(home.path, "supervisor", "supervisord.pid")) as file:
        return int(file.read())


def test_what_runs_already_is_left_alone(home):
    home.cli("worker", "start", "--count", "2")
    before = pids(home)
    home.cli("worker", "start")
    assert pids(home) == before
    home.cli("worker", "start", "--count", "3")
    assert pids(home).items() >= before.items()
    home.cli("worker", "scale", "default", "1")
    assert pids(home) == {"default-0": before["default-0"]}


def test_no_worker_is_left_beside_its_replacement_after_supervisord_is_killed(home):
    home.cli("worker", "start", "--count", "2")
    number = f"6{time.monotonic_ns() % 10**8}"
    job = home.enqueue(f'[ "$QUEUECTL_ATTEMPT" = 2 ] || sleep {number}')
    until(lambda: sleepers(number), "the job to run")
    before = pids(home)
    os.kill(supervisord(home), signal.SIGKILL)
    home.cli("worker", "start")
    after = pids(home)
    assert set(before.values()).isdisjoint(after.values())
    until(lambda: not any(alive(pid) for pid in before.values()), "the old workers to be gone")
    own = [
        p.pid
        for p in psutil.process_iter(["cmdline"])
        if home.path in (p.info["cmdline"] or []) and "run" in (p.info["cmdline"] or [])
    ]
    assert sorted(own) == sorted(after.values())
    # The worker ended it in good order when its supervisord died: the attempt doesn't count.
    ended = home.ended(job, 15)
    assert (ended.state.value, ended.attempts, len(home.queue.attempts(job))) == ("completed", 1, 2)
    assert sleepers(number) == []


def test_stop_can_wait_for_longer_than_the_configuration_says(home):
    home.cli("config", "set", "shutdown_timeout", "1s")
    home.cli("config", "set", "kill_grace", "1s")
    home.cli("worker", "start")
    job = home.enqueue("sleep 4")
    home.in_state(job, "processing")
    home.cli("worker", "stop", "--timeout", "30s")
    assert home.queue.get(job).state.value == "completed"


@pytest.mark.timeout(400)
def test_every_job_of_four_shells_runs_exactly_once_on_three_workers(home):
    trace = os.path.join(home.path, "trace")
    home.cli("init")
    home.cli("config", "set", "pools.default.concurrency", "2")
    home.cli("worker", "start", "--count", "3")
    script = 'for i in $(seq 250); do "$0" enqueue --id "$1-$i" "{\\"command\\": \\"echo $1-$i >> $2\\"}"; done'
    shells = [
        subprocess.Popen(
            ["sh", "-c", script, QUEUECTL, f"shell{number}", trace], env=home.environment, stdout=subprocess.DEVNULL
        )
        for number in range(4)
    ]
    assert [shell.wait(300) for shell in shells] == [0, 0, 0, 0]
    until(lambda: home.document("status")["jobs"]["completed"] == 1000, "all jobs to be completed", 60)
    with open(trace) as file:
        ran = Counter(file.read().split())
    assert ran == Counter(f"shell{shell}-{number}" for shell in range(4) for number in range(1, 251))
    assert all(each["attempts"] == 1 for each in home.document("list", "--limit", "0"))


def test_a_supervisord_whose_home_was_removed_ends(home):
    home.cli("worker", "start")
    daemon = supervisord(home)
    subprocess.run(["rm", "-rf", home.path], check=True)
    until(lambda: not alive(daemon), "supervisord to end")


def test_workers_started_by_a_job_outlive_it(home):
    job = home.enqueue([QUEUECTL, "--home", home.path, "worker", "start", "--count", "1", "--pool", "default"])
    home.worker("--instance", "7", concurrency=1)
    ended = home.ended(job)
    assert ended.state.value == "completed", ended.last.tail
    found = [each for each in status(home) if each["pid"] is not None and each["name"] != "default-7"]
    assert [each["state"] for each in found] == ["running"]


def test_too_many_workers_are_refused(home):
    home.cli("worker", "start", "--count", "11", code=2)
    assert all(each["pid"] is None for each in status(home))


def test_a_rolling_restart_replaces_one_after_the_other(home):
    home.cli("worker", "start", "--count", "3")
    before = pids(home)
    rolling = subprocess.Popen([QUEUECTL, "worker", "restart", "--rolling"], env=home.environment)
    least = 3
    while rolling.poll() is None:
        least = min(least, sum(seen.held for seen in sightings(os.path.join(home.path, "locks"))))
    assert rolling.returncode == 0
    assert least >= 2, "never more than one is away"
    assert set(before.values()).isdisjoint(pids(home).values())


def test_a_rolling_restart_ends_at_the_first_that_does_not_get_ready(home):
    home.cli("worker", "start", "--count", "3")
    before = pids(home)
    rolling = subprocess.Popen(
        [QUEUECTL, "worker", "restart", "--rolling"], env=home.environment, stderr=subprocess.PIPE, text=True
    )
    # Somebody else takes the name as soon as it is free: the new worker can only wait for it.
    squatter = Presence.acquire(os.path.join(home.path, "locks"), "default", 0, block=True)
    try:
        _, said = rolling.communicate(timeout=60)
    finally:
        squatter.close()
    assert rolling.returncode == 1
    assert "default-0" in said
    after = pids(home)
    assert [after[name] for name in ("default-1", "default-2")] == [before["default-1"], before["default-2"]]


def test_a_broken_configuration_keeps_a_restart_from_stopping_anything(home):
    home.cli("worker", "start", "--count", "2")
    before = pids(home)
    broken = os.path.join(home.path, "config.d", "99-broken.yaml")
    with open(broken, "w") as file:
        file.write("max_retrys: 1\n")
    home.cli("worker", "restart", code=78)
    os.unlink(broken)
    assert pids(home) == before
