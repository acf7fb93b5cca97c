"""Writing down who did what, in the transaction that does it. Reading it is for `trail`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queuectl.storage.database import Database

_NOTE = "INSERT INTO audit (at, actor, action, target, count) VALUES (?, ?, ?, ?, ?)"


def note(database: Database, action: str, names: Sequence[str], now: int) -> None:
    """Write down that something was done to jobs, inside the write transaction that does it; nothing where `names`,
    the jobs' ids, is empty."""
    if names:
        target = names[0] if len(names) == 1 else f"{names[0]}…{names[-1]}"
        database.change(_NOTE, (now, database.actor, action, target, len(names)))


def record(database: Database, action: str, target: str | None, now: int) -> None:
    """Write down what was done outside of the database, in a transaction of its own. Raises DatabaseError."""
    with database.write():
        database.change(_NOTE, (now, database.actor, action, target, 1))
