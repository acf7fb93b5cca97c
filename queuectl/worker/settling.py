"""What becomes of a job whose attempt ended: its next state, and when it runs again."""

from __future__ import annotations

import random

from queuectl.domain.retry import backoff, state_after
from queuectl.domain.states import Outcome, State
from queuectl.storage.claims import Claim, Ending


def settle(claim: Claim, outcome: Outcome, wall: int, exit_code: int | None = None) -> Ending:
    """The bare ending of the claim after `outcome` at `wall`, milliseconds since the epoch."""
    final = exit_code in claim.spec.no_retry_exit_codes
    state = state_after(outcome, claim.attempts, claim.max_retries, final)
    run_at = None
    if state is State.FAILED:
        chance = random.random()  # noqa: S311 - to spread load, not to keep a secret
        spec = claim.spec
        delay = backoff(claim.attempts, spec.backoff_base, spec.backoff_max_ms / 1000, spec.backoff_jitter, chance)
        run_at = wall + round(delay * 1000)
    return Ending(claim.job, claim.id, claim.number, state, outcome, wall, run_at, exit_code)
