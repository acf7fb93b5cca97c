"""`queuectl worker` as people use it, with the private supervisord."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_runner import PROGRAM, Cli, fails
from real_home import until


@pytest.fixture
def stopped(cli: Cli) -> Iterator[Cli]:
    """A home whose workers, and their supervisord, are gone when the test is over."""
    yield cli
    cli("worker", "stop", "--force", code=None)


def _running(cli: Cli) -> list[str]:
    return [worker["name"] for worker in cli("worker", "status", "--json").json if worker["pid"]]


def test_a_day_of_workers(stopped: Cli) -> None:
    cli = stopped
    assert "no worker was running" in cli("worker", "stop").err
    assert cli("worker", "start", "--count", "2", "--json").json == {"workers": ["default-0", "default-1"]}
    assert cli("config", "get", "pools.default.workers").out == "2\n"
    assert cli("worker", "start").code == 0
    assert _running(cli) == ["default-0", "default-1"]
    found: list[dict[str, Any]] = cli("worker", "status", "--json").json
    assert set(found[0]) == {"name", "pool", "pid", "state", "uptime", "running", "done", "rss", "cpu", "beat_at"}
    assert (found[0]["state"], found[0]["running"]) == ("running", 0)
    # Data alone: as it is no terminal, no hint at workers.
    result = cli("enqueue", "--wait", "--", "echo", "hi")
    assert (result.err, cli("logs", result.out.strip()).out) == ("", "hi\n")
    fails(cli("worker", "start", "--count", "11", code=None), 2, "max_workers", "11")
    cli("worker", "scale", "default", "1")
    assert _running(cli) == ["default-0"]
    assert cli("worker", "restart", "default-0", "--json").json == {"workers": ["default-0"]}
    assert "elected" in cli("worker", "logs", "default-0").out
    pid = cli("worker", "status", "--json").json[0]["pid"]
    cli("worker", "reload")
    assert cli("worker", "status", "--json").json[0]["pid"] == pid
    assert cli("status", "--check").code == 0
    cli("worker", "stop")
    assert _running(cli) == []
    assert cli("config", "get", "pools.default.workers").out == "1\n"
    assert cli("worker", "stop").code == 0


def test_missing_workers_are_trouble(stopped: Cli) -> None:
    cli = stopped
    cli("worker", "start")
    cli("config", "set", "pools.default.workers", "2")
    assert "pool default: 1 of 2 workers run" in cli("status", "--check", code=3).out


def test_in_the_foreground(cli: Cli) -> None:
    process = subprocess.Popen([PROGRAM, "worker", "start", "--no-detach"], env=cli.env, stderr=subprocess.DEVNULL)
    try:
        until(cli.home.exists, "the worker to make the home")
        cli("enqueue", "--wait", "--", "true")
        assert _running(cli) == ["default-0"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    fails(cli("worker", "start", "--no-detach", "--count", "2", code=None), 2, "--count")


def test_a_restarted_worker_does_not_make_a_home_that_was_removed(cli: Cli) -> None:
    cli("worker", "run", "--instance", "0", "--drain", code=None)
    assert not cli.home.exists()


def test_check(cli: Cli) -> None:
    assert "can start" in cli("worker", "check").err
    fails(cli("worker", "check", "--pool", "nope", code=None), 2, "'nope'")
    fails(cli("worker", "check", env={"QUEUECTL_LOG_LEVEL": "loud"}, code=None), 78, "QUEUECTL_LOG_LEVEL")


def test_a_pool_of_its_own(stopped: Cli) -> None:
    cli = stopped
    cli("config", "set", "pools.video.queues", "[video]")
    fails(cli("worker", "start", "--pool", "vidoe", code=None), 2, "'vidoe'")
    cli("worker", "start", "--pool", "video", "--count", "1")
    assert _running(cli) == ["video-0"]
    cli.enqueue(queue="video")
    cli.enqueue()
    found = cli("status", "--check", "--json", code=3).json["problems"]
    assert any("queue default: 1 pending, and no worker serves it" in problem for problem in found)
    cli("worker", "stop", "--pool", "video")
    assert _running(cli) == []


def test_follow_the_logs(stopped: Cli, tmp_path: Path) -> None:
    cli = stopped
    cli("worker", "start")
    command = [PROGRAM, "worker", "logs", "--follow"]
    process = subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    job_id = cli.enqueue("exit 3", max_retries=0)
    while job_id.encode() not in process.stdout.readline():
        pass
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
