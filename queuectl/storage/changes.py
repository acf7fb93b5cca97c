"""What a person does to jobs: cancel, hold, release, retry, remove. Each acts on the states that allow it only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from queuectl.domain.clock import now_ms
from queuectl.domain.states import State, sources
from queuectl.storage import audit

if TYPE_CHECKING:
    from queuectl.storage.connection import Row
    from queuectl.storage.database import Database


def _in(states: Iterable[State]) -> str:
    return "state IN (" + ", ".join(sorted(f"'{state.value}'" for state in states)) + ")"


_CANCEL = f"""
UPDATE jobs SET state = 'cancelled', reason = ?, finished_at = ?, updated_at = ?
WHERE id = ? AND {_in(sources("cancel"))} RETURNING public_id
"""  # noqa: S608 - the names of states, from the table of transitions
_ASK = """
UPDATE jobs SET cancel_requested_at = ?, reason = ?, updated_at = ?
WHERE id = ? AND state = 'processing' AND cancel_requested_at IS NULL RETURNING public_id
"""
_HOLD = f"""
UPDATE jobs SET state = 'held', reason = ?, updated_at = ?
WHERE id = ? AND {_in(sources("hold"))} RETURNING public_id
"""  # noqa: S608
_UNHOLD = """
UPDATE jobs SET state = CASE WHEN run_at > ? THEN 'scheduled' ELSE 'pending' END, reason = NULL, updated_at = ?
WHERE id = ? AND state = 'held' RETURNING public_id
"""
_RETRY = f"""
UPDATE jobs SET state = 'pending', attempts = ?, run_at = ?, reason = NULL, cancel_requested_at = NULL,
    finished_at = NULL, updated_at = ?
WHERE id = ? AND {_in(sources("retry"))} RETURNING public_id
"""  # noqa: S608
_RETRY_ONCE = _RETRY.replace("attempts = ?", "attempts = max(attempts, max_retries, ?)")
_REMOVE = "DELETE FROM jobs WHERE id = ? AND state <> 'processing' RETURNING public_id"


def cancel(database: Database, row: int, reason: str, now: int) -> bool:
    """Cancel the job, or ask its worker to, where it runs. False: it had ended, or been asked, before."""
    with database.write(wakes=True):
        done = database.rows(_CANCEL, (reason, now, now, row)) or database.rows(_ASK, (now, reason, now, row))
        return _noted(database, "cancel", done, now) == 1


def hold(database: Database, row: int, reason: str, now: int) -> bool:
    """Keep the job from running until `unhold`. False: its state doesn't allow it."""
    with database.write():
        return _noted(database, "hold", database.rows(_HOLD, (reason, now, row)), now) == 1


def unhold(database: Database, row: int, now: int) -> bool:
    """Let a held job go. False: it isn't held."""
    with database.write(wakes=True):
        return _noted(database, "release", database.rows(_UNHOLD, (now, now, row)), now) == 1


def retry(database: Database, rows: Iterable[int], now: int, *, keep_attempts: bool = False) -> int:
    """Make ended jobs pending again, with all their retries or, to `keep_attempts`, exactly one more execution.

    Returns how many; those in other states stay as they are.
    """
    statement = _RETRY_ONCE if keep_attempts else _RETRY
    with database.write(wakes=True):
        done = [found for row in rows for found in database.rows(statement, (0, now, now, row))]
        return _noted(database, "retry", done, now)


def remove(database: Database, rows: Iterable[int]) -> list[int]:
    """Delete the jobs and all that is known of them, but for those that run. Returns the rows that are gone."""
    with database.write():
        gone = [(row, found) for row in rows for found in database.rows(_REMOVE, (row,))]
        _noted(database, "remove", [found for _, found in gone], now_ms())
    return [row for row, _ in gone]


def _noted(database: Database, action: str, done: Sequence[Row], now: int) -> int:
    """How many jobs were changed, after it was written down who did it; each row of `done` is an id."""
    audit.note(database, action, [public_id for (public_id,) in done], now)
    return len(done)
