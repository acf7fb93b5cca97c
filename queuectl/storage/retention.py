"""Forgetting what ended long ago, a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from queuectl.domain.states import State

if TYPE_CHECKING:
    from queuectl.storage.database import Database

AT_ONCE = 500
"""Rows a transaction: small enough not to keep an enqueue waiting."""


def expired(database: Database, state: State, before: int) -> list[tuple[int, str]]:
    """The row and id of up to AT_ONCE jobs that ended in `state` before that time."""
    return [
        (row, public_id)
        for row, public_id in database.rows(
            # The IN is the index's own condition, word for word: else SQLite doesn't see that it serves.
            "SELECT id, public_id FROM jobs WHERE state IN ('completed', 'dead', 'cancelled') AND state = ? "
            "AND finished_at < ? ORDER BY finished_at, id LIMIT ?",
            (state.value, before, AT_ONCE),
        )
    ]


def forget(database: Database, rows: list[int], state: State) -> None:
    """Delete those of the rows that are still in `state`, and give free pages back."""
    with database.write(synced=False):
        database.change_many("DELETE FROM jobs WHERE id = ? AND state = ?", [(row, state.value) for row in rows])
        database.change("DELETE FROM workers WHERE ended_at < (SELECT started_at FROM attempts ORDER BY id LIMIT 1)")
        # Within the transaction: it is a write, and needs the write lock as every one does.
        database.rows("PRAGMA incremental_vacuum(1000)")


def strangers(database: Database, ids: Sequence[str]) -> list[str]:
    """Those of the ids, at most AT_ONCE, that no job has."""
    marks = ", ".join("?" * len(ids))
    there = {job for (job,) in database.rows(f"SELECT public_id FROM jobs WHERE public_id IN ({marks})", ids)}  # noqa: S608
    return [job for job in ids if job not in there]


def checkpoint(database: Database, *, truncate: bool = False) -> int:
    """Move the log into the database; returns how many pages of the log were left to move."""
    mode = "truncate" if truncate else "passive"
    _, pages, moved = database.rows(f"PRAGMA wal_checkpoint({mode})")[0]
    return int(pages) - int(moved)
