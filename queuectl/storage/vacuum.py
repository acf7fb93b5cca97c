"""Rewriting the database without its holes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from queuectl.storage.retention import checkpoint
from queuectl.storage.write_lock import WriteLock

if TYPE_CHECKING:
    from queuectl.storage.database import Database


def vacuum(database: Database) -> tuple[int, int]:
    """Rewrite the database; its bytes before and after, the log's included. Writers wait, readers don't.

    Raises DatabaseError: nothing was changed.
    """
    before = size(database.path)
    # Under the write lock, but in no transaction: VACUUM makes its own.
    lock = WriteLock(database.lock_path, None)
    lock.acquire()
    try:
        database.refuse_if_gone()
        database.rows("VACUUM")
        # All of it is in the log now.
        checkpoint(database, truncate=True)
    finally:
        lock.release()
    return before, size(database.path)


def size(path: str) -> int:
    """Bytes of the database at `path`, and of its log."""
    return sum(os.stat(each).st_size for each in (path, f"{path}-wal") if os.path.exists(each))
