"""What a person does to jobs: cancel, hold, release, retry, remove. Each acts on the states that allow it only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

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


def cancel(database: Database, rows: Iterable[int], reason: str, now: int) -> list[str]:
    """Cancel the jobs, or ask their workers to, where they run; those that had ended, or been asked, stay as they are.

    Returns the ids of those that were changed, as all of these do.
    """
    with database.write(wakes=True):
        done: list[Row] = []
        for row in rows:
            done += database.rows(_CANCEL, (reason, now, now, row)) or database.rows(_ASK, (now, reason, now, row))
        return _noted(database, "cancel", done, now)


def hold(database: Database, rows: Iterable[int], reason: str, now: int) -> list[str]:
    """Keep the jobs from running until `unhold`, where their state allows it."""
    with database.write():
        return _noted(database, "hold", _each(database, _HOLD, ((reason, now, row) for row in rows)), now)


def unhold(database: Database, rows: Iterable[int], now: int) -> list[str]:
    """Let held jobs go."""
    with database.write(wakes=True):
        return _noted(database, "release", _each(database, _UNHOLD, ((now, now, row) for row in rows)), now)


def retry(database: Database, rows: Iterable[int], now: int, *, keep_attempts: bool = False) -> list[str]:
    """Make ended jobs pending again, with all their retries or, to `keep_attempts`, exactly one more execution."""
    statement = _RETRY_ONCE if keep_attempts else _RETRY
    with database.write(wakes=True):
        return _noted(database, "retry", _each(database, statement, ((0, now, now, row) for row in rows)), now)


def remove(database: Database, rows: Iterable[int], now: int) -> list[str]:
    """Delete the jobs and all that is known of them, but for those that run."""
    with database.write():
        return _noted(database, "remove", _each(database, _REMOVE, ((row,) for row in rows)), now)


def _each(database: Database, statement: str, parameters: Iterable[tuple[object, ...]]) -> list[Row]:
    return [found for each in parameters for found in database.rows(statement, each)]


def _noted(database: Database, action: str, done: Sequence[Row], now: int) -> list[str]:
    """The ids in the rows that were changed, after it was written down who did it."""
    names = [str(public_id) for (public_id,) in done]
    audit.note(database, action, names, now)
    return names
