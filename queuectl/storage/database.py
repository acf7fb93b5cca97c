"""One queue's database: opening it, and its transactions."""

from __future__ import annotations

import os
from functools import cached_property
from types import TracebackType

from queuectl.errors import DatabaseError, DatabaseUnavailable, DatabaseUnsure
from queuectl.storage import kept_log, sqlite
from queuectl.storage.actor import current_actor
from queuectl.storage.connection import IO_ERROR, Connection
from queuectl.storage.write_lock import WriteLock


class Database(Connection):
    """An open database. Safe from several threads and after a fork: each gets a connection of its own."""

    def __init__(
        self,
        path: str,
        *,
        create: bool = True,
        synchronous: str = "full",
        patience: float | None = None,
        checkpoints: bool = True,
    ) -> None:
        """Open the file at `path`, made and migrated if need be.

        `patience` (seconds) bounds a wait for the write lock; None waits as long as it takes. A worker sets it, since
        its loop must not stand still, and leaves `checkpoints` to the maintenance leader.

        Raises:
            DatabaseError: one of its kinds; nothing was written.
        """
        super().__init__(
            sqlite.connector(
                path, synchronous=synchronous, timeout=5.0 if patience is None else patience, checkpoints=checkpoints
            ),
            path,
        )
        self.lock_path = os.path.join(os.path.dirname(path), "write.lock")
        """The file that writers lock and workers watch."""
        self.synchronous = synchronous
        self._patience = patience
        self._identity: tuple[int, int] | None = None
        self._leaves_log = False
        try:
            self._identity = sqlite.prepare(self, create=create)
        except BaseException:
            self.close()
            raise
        if kept_log.is_ours(path):
            self._leaves_log = True
            self._leave_log_at_exit()

    def write(self, *, wakes: bool = False, synced: bool = True) -> Transaction:
        """A write transaction, as a context manager. `wakes` tells the workers of it once it is committed;
        without `synced` a power cut may undo it."""
        return Transaction(self, WriteLock(self.lock_path, self._patience), wakes=wakes, synced=synced)

    @cached_property
    def actor(self) -> str:
        """Who this process acts for."""
        return current_actor(os.stat(self.path).st_uid)

    def close(self) -> None:
        """Close this thread's connection; may be called twice."""
        super().close()
        if self._leaves_log:
            kept_log.keep(self.path)

    def _leave_log_at_exit(self) -> None:
        """Not every program closes what it has opened, and SQLite removes the log at its end all the same."""
        import weakref

        here, peewee_database, path = os.getpid(), self._peewee, self.path

        def leave() -> None:
            if os.getpid() == here:  # a child must not close the parent's connection
                peewee_database.close()
                kept_log.keep(path)

        weakref.finalize(self, leave)

    def version(self) -> int:
        """A number that changes when another connection commits; cheap to look at."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def is_gone(self) -> bool:
        """Whether the file that was opened isn't there any more, or is another one."""
        return sqlite.identity(self.path) != self._identity

    def refuse_if_gone(self) -> None:
        """Under the write lock, where a restore can't come in between: what is written to a file that was taken away
        would be lost. Raises DatabaseUnavailable."""
        if self._identity is not None and self.is_gone():
            raise DatabaseUnavailable(
                f"{self.path}: was removed, or another was put in its place, since it was opened",
                hint="nothing was written; do it again, and in a program that keeps the queue open, open it anew",
            )


class Transaction:
    """`with database.write():` — the write lock, then BEGIN IMMEDIATE; COMMIT at the end, ROLLBACK on an error.

    Not Peewee's `atomic`: where the disk is full SQLite has rolled back already, and its ROLLBACK fails with
    "cannot rollback", which would hide the reason.
    """

    def __init__(self, database: Database, lock: WriteLock, *, wakes: bool, synced: bool) -> None:
        self._database = database
        self._lock = lock
        self._wakes = wakes
        self._relaxed = not synced and database.synchronous == "full"

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._database.refuse_if_gone()
            if self._relaxed:
                self._database.rows("PRAGMA synchronous = normal")
            self._database.rows("BEGIN IMMEDIATE")
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._undo()
                return
            try:
                self._database.rows("COMMIT")
            except DatabaseError as failure:
                self._undo()
                if IO_ERROR in str(failure):
                    raise _unsure(self._database.path) from failure
                raise
            except BaseException:
                self._undo()
                raise
            if self._wakes:
                self._lock.wake()
        finally:
            self._leave()

    def _undo(self) -> None:
        if self._database.in_transaction():
            self._database.rows("ROLLBACK")

    def _leave(self) -> None:
        try:
            if self._relaxed:
                self._database.rows("PRAGMA synchronous = full")
        finally:
            self._lock.release()


def _unsure(path: str) -> DatabaseUnsure:
    """It was in the log already when the sync failed. SQLite forgets it then; but if all processes end before another
    writes in its place, whoever opens the log next finds it, and takes it for committed."""
    return DatabaseUnsure(
        f"{path}: {IO_ERROR} in the moment of writing: it may be in, or not",
        hint="look before you do it again (`queuectl list`); what the disk has, dmesg says",
    )
