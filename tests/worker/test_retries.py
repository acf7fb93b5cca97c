"""Failures: retried with backoff, then dead; and the ways back."""

from __future__ import annotations

from itertools import pairwise

import pytest


def test_a_failing_job_runs_once_and_its_retries_with_doubling_pauses(home):
    job = home.enqueue("echo out; echo err >&2; exit 3", max_retries=2, backoff_jitter=0)
    home.worker()
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts, ended.last.exit_code) == ("dead", 3, 3)
    assert ended.last.tail == b"out\nerr\n"
    log = home.queue.attempts(job)
    assert [(attempt.number, attempt.outcome.value, attempt.exit_code) for attempt in log] == [
        (1, "failed", 3),
        (2, "failed", 3),
        (3, "failed", 3),
    ]
    pauses = [after.started_at - before.finished_at for before, after in pairwise(log)]
    for pause, expected in zip(pauses, (2000, 4000), strict=True):
        assert expected <= pause <= expected + 1500


def test_a_dead_job_retried_has_all_its_retries_again(home):
    job = home.enqueue("exit 3", max_retries=2, backoff_base=1, backoff_max=0)
    home.worker()
    assert home.ended(job).attempts == 3
    home.cli("dlq", "retry", job)
    assert home.ended(job).attempts == 3
    assert len(home.queue.attempts(job)) == 6


def test_a_dead_job_retried_with_its_attempts_kept_runs_exactly_once_more(home):
    job = home.enqueue("exit 3", max_retries=2, backoff_base=1, backoff_max=0)
    home.worker()
    home.ended(job)
    home.cli("dlq", "retry", job, "--keep-attempts")
    ended = home.ended(job)
    assert (ended.state.value, len(home.queue.attempts(job))) == ("dead", 4)


def test_an_exit_code_that_is_not_to_be_retried_ends_the_job(home):
    job = home.enqueue("exit 64", max_retries=5, no_retry_exit_codes=[64, 65])
    home.worker()
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts) == ("dead", 1)


def test_a_job_that_recovers_is_completed(home):
    job = home.enqueue('test "$QUEUECTL_ATTEMPT" -ge 2', backoff_base=1, backoff_max="10ms")
    home.worker()
    ended = home.ended(job)
    assert (ended.state.value, ended.attempts) == ("completed", 2)


@pytest.mark.parametrize(
    ("command", "keys", "code", "said"),
    [
        (["no-such-program", "x"], {}, 127, "no-such-program: no such program"),
        (["/etc/passwd"], {}, 126, "/etc/passwd: Permission denied"),
        ("true", {"cwd": "/no/such/place"}, 126, "/no/such/place"),
        ("no-such-program", {}, 127, "exit 127"),
    ],
)
def test_what_cannot_be_run_is_an_ordinary_failure(home, command, keys, code, said):
    job = home.enqueue(command, max_retries=0, **keys)
    home.worker()
    ended = home.ended(job)
    assert (ended.state.value, ended.last.exit_code) == ("dead", code)
    assert said in ended.last.error


def test_a_signal_is_told_as_such(home):
    job = home.enqueue("kill -USR1 $$", max_retries=0)
    home.worker()
    last = home.ended(job).last
    assert (last.exit_code, last.signal, last.error) == (None, 10, "killed by SIGUSR1")


def test_a_scheduled_job_waits_for_its_time(home):
    job = home.enqueue("true", delay="700ms")
    assert home.queue.get(job).state.value == "scheduled"
    home.worker()
    ended = home.ended(job)
    assert ended.last.started_at >= ended.run_at
