"""Whether and when a job runs again: retries left, exponential backoff with jitter."""

from __future__ import annotations

import math

from queuectl.domain.states import Outcome, State


def backoff(retry: int, base: float, longest: float, jitter: float, chance: float) -> float:
    """Seconds to wait before the `retry`-th retry, counted from 1.

    `base ** retry`, at most `longest`, times 1 ± `jitter`, where `chance` in [0, 1) says how far. The jitter comes
    after the cap, so that jobs that failed together don't come back together however often they failed.
    """
    # A float overflows near 1.8e308: cap the exponent by logarithms before raising to it.
    if longest <= 0 or (base > 1 and retry * math.log(base) >= math.log(longest)):
        delay = longest
    else:
        delay = min(base**retry, longest)
    return max(0.0, delay * (1 + jitter * (2 * chance - 1)))


def state_after(outcome: Outcome, attempts: int, max_retries: int, final: bool) -> State:
    """What becomes of a job whose attempt ended so. `attempts` counts that one too; `final` forbids a retry."""
    if outcome is Outcome.COMPLETED:
        return State.COMPLETED
    if outcome is Outcome.CANCELLED:
        return State.CANCELLED
    if outcome is Outcome.RELEASED:
        return State.PENDING
    return State.DEAD if final or attempts > max_retries else State.FAILED
