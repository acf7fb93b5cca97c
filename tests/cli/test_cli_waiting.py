"""Exit codes that are the job's."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cli_runner import PROGRAM, Cli
from real_home import until


@contextmanager
def worker(cli: Cli) -> Iterator[None]:
    """A worker in the foreground, for as long as the block."""
    process = subprocess.Popen([PROGRAM, "worker", "run"], env=cli.env, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_wait_and_enqueue_wait(cli: Cli) -> None:
    good = cli.enqueue("true")
    bad = cli.enqueue("exit 3", max_retries=0)
    killed = cli.enqueue("kill -KILL $$", max_retries=0)
    late = cli.enqueue("sleep 60", max_retries=0, timeout=0.1, kill_grace=1)
    gone = cli.enqueue("true", "--hold")
    cli("cancel", gone)
    with worker(cli):
        assert cli("wait", good, bad, killed, code=3).out == ""
        cli("wait", killed, bad, code=137)
        cli("wait", good)
        cli("wait", late, code=143)
        cli("wait", gone, code=1)
        assert [job["state"] for job in cli("wait", good, bad, "--json", code=3).json] == ["completed", "dead"]
        assert cli("enqueue", "--wait", "--max-retries", "0", "--", "sh", "-c", "exit 7", code=7).out.strip()
        cli("enqueue", "--wait", "--lines", "-", "--max-retries", "0", stdin="true\nexit 5\nexit 6", code=5)
        # A failure that is retried is none yet.
        flaky = 'test "$QUEUECTL_ATTEMPT" -ge 2'
        cli(
            "enqueue",
            "--wait",
            f'{{"command": "{flaky}", "backoff_max": 0}}'.replace('"$', '\\"$').replace('T"', 'T\\"'),
        )


def test_our_own_failures_look_like_no_job(cli: Cli) -> None:
    held = cli.enqueue("true", "--hold")
    result = cli("wait", held, "--timeout", "0.05", code=124)
    assert "held" in result.err
    cli("wait", "nope", code=125)
    cli("logs", "-f", "nope", code=125)
    cli("logs", "nope", code=4)
    cli("enqueue", "--wait", "nonsense", code=125)
    cli("wait", held, env={"QUEUECTL_MAX_RETRIES": "x"}, code=125)


@pytest.mark.parametrize("words", [["wait"], ["logs", "-f"]])
def test_ctrl_c(cli: Cli, words: list[str]) -> None:
    held = cli.enqueue("true", "--hold")
    process = subprocess.Popen([PROGRAM, *words, held], env=cli.env, stderr=subprocess.PIPE, start_new_session=True)
    while process.poll() is None:
        # Until it sleeps between two looks it may not be ready to be interrupted in peace.
        with open(f"/proc/{process.pid}/wchan") as file:
            if "nanosleep" in file.read():
                break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_logs(cli: Cli) -> None:
    job_id = cli.enqueue(
        'echo "try $QUEUECTL_ATTEMPT"; printf "\\377\\000end"; test "$QUEUECTL_ATTEMPT" -ge 2', backoff_max=0
    )
    result = cli("logs", job_id)
    assert (result.raw, "has not run" in result.err) == (b"", True)
    cli.drain()
    result = cli("logs", job_id)
    assert result.raw == b"try 2\n\xff\0end"
    assert f"job {job_id}, execution 2: completed" in result.err
    assert cli("logs", job_id, "--attempt", "1").raw == b"try 1\n\xff\0end"
    assert cli("logs", job_id, "--attempt", "1", "--tail", "1", "-q").raw == b"\xff\0end"
    assert cli("logs", job_id, "--tail", "0").raw == b""
    assert "there are: 1, 2" in cli("logs", job_id, "--attempt", "3", code=2).err
    assert cli("logs", "-f", job_id).raw == b"try 2\n\xff\0end"
    assert cli("logs", "-f", job_id, "--attempt", "1", code=1).raw == b"try 1\n\xff\0end"


def test_logs_of_a_long_output(cli: Cli) -> None:
    job_id = cli.enqueue("seq 1000000", output_limit=65536)
    cli.drain()
    whole = cli("logs", job_id).raw
    assert whole.startswith(b"1\n2\n")
    assert whole.endswith(b"999999\n1000000\n")
    assert b"bytes left out here" in whole
    assert b"\0" not in whole
    assert cli("logs", job_id, "--tail", "2").raw == b"999999\n1000000\n"
    assert cli("logs", job_id, "--tail", "100000").raw == whole
    assert cli("logs", "-f", job_id, "--tail", "2").raw == b"999999\n1000000\n"


def test_follow_waits_for_the_start_and_into_the_next_try(cli: Cli) -> None:
    gate = cli.directory / "gate"
    os.mkfifo(gate)
    script = f'echo "try $QUEUECTL_ATTEMPT"; read x < {gate}; echo $x; test "$QUEUECTL_ATTEMPT" -ge 2'
    job_id = cli.enqueue(script, backoff_max=0)
    follower = subprocess.Popen(
        [PROGRAM, "logs", "-f", job_id], env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stdout is not None
    assert follower.stderr is not None
    assert b"waiting for its start" in follower.stderr.readline()
    with worker(cli):
        assert follower.stdout.readline() == b"try 1\n"
        gate.write_text("one\n")
        assert follower.stdout.readline() == b"one\n"
        assert follower.stdout.readline() == b"try 2\n"
        gate.write_text("two\n")
        assert follower.stdout.readline() == b"two\n"
        assert follower.wait(30) == 0
    follower.stdout.close()
    follower.stderr.close()


def test_follow_jumps_over_the_hole(cli: Cli) -> None:
    gate = cli.directory / "gate"
    os.mkfifo(gate)
    job_id = cli.enqueue(
        f"seq 1000000; echo half; read x < {gate}; echo end; exit 4", max_retries=0, output_limit=65536
    )
    with worker(cli):
        path = cli.home / "output" / job_id / "1"
        until(
            lambda: path.exists() and path.stat().st_size >= 6_888_000 and path.stat().st_blocks * 512 <= 2_000_000,
            "the middle to be cut out",
        )
        now = cli("logs", job_id)
        assert b"\0" not in now.raw
        assert now.raw.startswith(b"1\n2\n")
        assert now.raw.endswith(b"1000000\nhalf\n")
        assert "left out" in now.err
        follower = subprocess.Popen([PROGRAM, "logs", "-f", job_id, "-q"], env=cli.env, stdout=subprocess.PIPE)
        assert follower.stdout is not None
        seen = b""
        while not seen.endswith(b"half\n"):
            seen += follower.stdout.read1()
        gate.write_text("\n")
        assert follower.stdout.read() == b"end\n"
        assert follower.wait(30) == 4
        follower.stdout.close()
    assert b"\0" not in seen
