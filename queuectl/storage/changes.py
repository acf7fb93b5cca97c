"""What a person does to jobs: cancel, hold, release, retry, remove. Each acts on the states that allow it only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from queuectl.domain.states import State, sources

if TYPE_CHECKING:
    from queuectl.storage.database import Database


def _in(states: Iterable[State]) -> str:
    return "state IN (" + ", ".join(sorted(f"'{state.value}'" for state in states)) + ")"


_CANCEL = f"""
UPDATE jobs SET state = 'cancelled', reason = ?, finished_at = ?, updated_at = ?
WHERE id = ? AND {_in(sources("cancel"))}
"""  # noqa: S608 - the names of states, from the table of transitions
_ASK = """
UPDATE jobs SET cancel_requested_at = ?, reason = ?, updated_at = ?
WHERE id = ? AND state = 'processing' AND cancel_requested_at IS NULL
"""
_HOLD = f"UPDATE jobs SET state = 'held', reason = ?, updated_at = ? WHERE id = ? AND {_in(sources('hold'))}"  # noqa: S608
_UNHOLD = """
UPDATE jobs SET state = CASE WHEN run_at > ? THEN 'scheduled' ELSE 'pending' END, reason = NULL, updated_at = ?
WHERE id = ? AND state = 'held'
"""
_RETRY = f"""
UPDATE jobs SET state = 'pending', attempts = ?, run_at = ?, reason = NULL, cancel_requested_at = NULL,
    finished_at = NULL, updated_at = ?
WHERE id = ? AND {_in(sources("retry"))}
"""  # noqa: S608
_RETRY_ONCE = _RETRY.replace("attempts = ?", "attempts = max(attempts, max_retries, ?)")
_REMOVE = "DELETE FROM jobs WHERE id = ? AND state <> 'processing'"


def cancel(database: Database, row: int, reason: str, now: int) -> bool:
    """Cancel the job, or ask its worker to, where it runs. False: it had ended, or been asked, before."""
    with database.write(wakes=True):
        if database.change(_CANCEL, (reason, now, now, row)):
            return True
        return database.change(_ASK, (now, reason, now, row)) == 1


def hold(database: Database, row: int, reason: str, now: int) -> bool:
    """Keep the job from running until `unhold`. False: its state doesn't allow it."""
    with database.write():
        return database.change(_HOLD, (reason, now, row)) == 1


def unhold(database: Database, row: int, now: int) -> bool:
    """Let a held job go. False: it isn't held."""
    with database.write(wakes=True):
        return database.change(_UNHOLD, (now, now, row)) == 1


def retry(database: Database, rows: Iterable[int], now: int, *, keep_attempts: bool = False) -> int:
    """Make ended jobs pending again, with all their retries or, to `keep_attempts`, exactly one more execution.

    Returns how many; those in other states stay as they are.
    """
    statement = _RETRY_ONCE if keep_attempts else _RETRY
    with database.write(wakes=True):
        return sum(database.change(statement, (0, now, now, row)) for row in rows)


def remove(database: Database, rows: Iterable[int]) -> list[int]:
    """Delete the jobs and all that is known of them, but for those that run. Returns the rows that are gone."""
    with database.write():
        return [row for row in rows if database.change(_REMOVE, (row,))]
