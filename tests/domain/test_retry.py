"""Backoff: within its bounds, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.domain.retry import backoff, state_after
from queuectl.domain.states import Outcome, State

retries = st.integers(1, 10**6)
bases = st.floats(1, 1000)
longest = st.floats(0, 100 * 365 * 86400)
jitters = st.floats(0, 1)
chances = st.floats(0, 1, exclude_max=True)


@given(retries, bases, longest, jitters, chances)
def test_a_delay_is_between_zero_and_the_cap_with_its_jitter(
    retry: int, base: float, cap: float, jitter: float, chance: float
) -> None:
    assert 0 <= backoff(retry, base, cap, jitter, chance) <= cap * (1 + jitter) * (1 + 1e-9)


@given(retries, bases, longest, chances)
def test_without_jitter_delays_never_get_shorter(retry: int, base: float, cap: float, chance: float) -> None:
    assert backoff(retry, base, cap, 0, chance) <= backoff(retry + 1, base, cap, 0, chance) * (1 + 1e-9)


@given(st.integers(1, 30), st.floats(1, 4), jitters, chances)
def test_jitter_stays_within_its_share(retry: int, base: float, jitter: float, chance: float) -> None:
    plain = backoff(retry, base, 3600, 0, 0.5)
    assert plain == pytest.approx(min(base**retry, 3600))
    assert abs(backoff(retry, base, 3600, jitter, chance) - plain) <= plain * (jitter + 1e-9)


def test_jitter_reaches_to_both_sides() -> None:
    assert backoff(1, 2, 3600, 0.5, 0.0) == pytest.approx(1.0)
    assert backoff(1, 2, 3600, 0.5, 0.999999) == pytest.approx(3.0, rel=1e-3)


def test_the_delays_of_the_manual() -> None:
    assert [backoff(n, 2.0, 3600.0, 0, 0) for n in (1, 2, 3, 12)] == [2, 4, 8, 3600]


@pytest.mark.parametrize("cap", [0.0, 0.001, 1.0, 3600.0, 3_153_600_000.0])
@pytest.mark.parametrize("base", [1.0, 1.0000001, 2.0, 1000.0])
def test_a_huge_exponent_overflows_nothing(base: float, cap: float) -> None:
    assert 0 <= backoff(10_000_000, base, cap, 0, 0) <= cap


@pytest.mark.parametrize(("max_retries", "executions"), [(0, 1), (1, 2), (3, 4)])
def test_a_job_that_always_fails_runs_once_more_than_its_retries(max_retries: int, executions: int) -> None:
    ends = [state_after(Outcome.FAILED, attempts, max_retries, False) for attempts in range(1, executions + 1)]
    assert ends == [State.FAILED] * max_retries + [State.DEAD]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMEOUT, Outcome.CRASHED])
def test_a_final_failure_leaves_no_retry(outcome: Outcome) -> None:
    assert state_after(outcome, 1, 9, True) is State.DEAD
    assert state_after(outcome, 1, 9, False) is State.FAILED
