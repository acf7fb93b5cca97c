"""The manual's lines about the dead letter queue."""

from __future__ import annotations

import os

import pexpect
import pytest
from manual_lines import manual
from manual_shell import BAD

JOB, OTHER = "job-id-here", "another"


@pytest.fixture
def dead(shell):
    """Two dead jobs, two executions each, and a completed one."""
    for job in (JOB, OTHER):
        shell.enqueue(BAD, id=job, max_retries=1, backoff_max=0.05)
    shell.enqueue("echo well", id="well")
    shell.drain()
    assert [(job["state"], job["attempts"]) for job in shell.jobs()] == [("dead", 2), ("dead", 2), ("completed", 1)]
    return shell


def states(shell) -> dict[str, str]:
    return {job["id"]: job["state"] for job in shell.jobs()}


def executions(shell, job: str) -> int:
    return len(shell.job(job)["attempts_log"])


@manual("""queuectl enqueue '{"command": "nonexistent-command", "max_retries": 2}'""")
def test_a_command_that_is_not_there_fails_is_retried_and_dies(shell, line):
    shell("queuectl config set backoff_base 1.2")
    shell(line)
    (job,) = shell.jobs()
    shell("queuectl worker start")
    shell.in_state(job["id"], "failed")
    assert job["id"] in shell("queuectl list --state failed")
    ended = shell.ended(job["id"])
    assert (ended["state"], ended["attempts"], ended["exit_code"]) == ("dead", 3, 127)
    starts = [each["started_at"] for each in ended["attempts_log"]]
    assert starts == sorted(set(starts))
    assert job["id"] in shell("queuectl dlq list")


@manual("queuectl dlq list", "queuectl dlq list --verbose")
def test_list_shows_the_dead_only(dead, line):
    said = dead(line)
    assert [job for job in (JOB, OTHER, "well") if f"\n{job} " in said] == [JOB, OTHER]
    assert ("ERROR" in said.splitlines()[0]) == ("--verbose" in line)
    assert {job["id"] for job in dead.document(line)} == {JOB, OTHER}


@manual("queuectl dlq stats")
def test_stats_count_jobs_attempts_and_errors(dead, line):
    found = dead.document(line)
    assert (found["total"], found["mean_attempts"]) == (2, 2)
    assert [error["count"] for error in found["errors"]] == [2]
    assert "2" in dead(line)


@manual("queuectl dlq retry job-id-here")
def test_retry_of_one_starts_its_count_afresh(dead, line):
    dead(line)
    job = dead.job(JOB)
    assert (job["state"], job["attempts"]) == ("pending", 0)
    assert states(dead)[OTHER] == "dead"
    dead.drain()
    assert (states(dead)[JOB], dead.job(JOB)["attempts"], executions(dead, JOB)) == ("dead", 2, 4)
    dead("queuectl dlq retry well", code=1)
    dead("queuectl dlq retry no-such-job", code=4)


@manual("queuectl dlq retry")
def test_retry_without_an_id_is_for_all_of_them(dead, line):
    dead(line)
    assert states(dead) == {JOB: "pending", OTHER: "pending", "well": "completed"}
    dead.drain()
    assert (executions(dead, JOB), executions(dead, OTHER), executions(dead, "well")) == (4, 4, 1)


@manual("queuectl dlq retry job-id-here --keep-attempts")
def test_keeping_the_attempts_gives_exactly_one_more(dead, line):
    dead(line)
    assert (dead.job(JOB)["state"], dead.job(JOB)["attempts"]) == ("pending", 2)
    dead.drain()
    assert (states(dead)[JOB], dead.job(JOB)["attempts"], executions(dead, JOB)) == ("dead", 3, 3)


@manual("queuectl dlq remove job-id-here")
def test_remove_of_one_leaves_the_others(dead, line):
    dead(line)
    assert states(dead) == {OTHER: "dead", "well": "completed"}
    dead("queuectl dlq remove well", code=1)
    dead(line, code=4)


@manual("queuectl dlq remove --yes")
def test_yes_answers_the_question(dead, line):
    dead(line)
    assert states(dead) == {"well": "completed"}
    assert dead.document("queuectl dlq list") == []


@manual("queuectl dlq remove")
@pytest.mark.parametrize(("answer", "left"), [("y", ["well"]), ("n", [JOB, OTHER, "well"])])
def test_remove_of_all_asks(dead, line, answer, left):
    environment = {**dead.environment, "TERM": "xterm", "NO_COLOR": "1"}
    terminal = pexpect.spawn("bash", ["-c", line], cwd=dead.directory, env=environment, timeout=20, encoding="utf-8")
    terminal.expect("Remove 2 dead jobs")
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert sorted(states(dead)) == sorted(left)
    assert terminal.exitstatus == (0 if answer == "y" else 1)


@manual("queuectl dlq remove")
def test_without_a_terminal_nobody_can_answer(dead, line):
    dead(f"{line} < {os.devnull}", code=2)
    assert len(states(dead)) == 3
