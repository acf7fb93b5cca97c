"""When a failed job runs again: exponential backoff with jitter."""

from __future__ import annotations

import math


def backoff(retry: int, base: float, longest: float, jitter: float, chance: float) -> float:
    """Seconds to wait before the `retry`-th retry, counted from 1.

    `base ** retry`, at most `longest`, times 1 ± `jitter`, where `chance` in [0, 1) says how far. The jitter comes
    after the cap, so that jobs that failed together don't come back together however often they failed.
    """
    # A float overflows near 1.8e308: cap the exponent by logarithms before raising to it.
    if base > 1 and longest > 0 and retry * math.log(base) >= math.log(longest):
        delay = longest
    else:
        delay = min(base**retry, longest)
    return max(0.0, delay * (1 + jitter * (2 * chance - 1)))
