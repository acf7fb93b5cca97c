"""The gateway to Peewee, whose `execute_sql` is untyped, and the driver's errors as ours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import peewee

from queuectl.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiskFull,
    DuplicateJob,
    QueuectlError,
    UsageError,
)

Row = tuple[Any, ...]
"""A row of a result: the one `Any` that what the database says comes as."""

# Peewee wraps what execute() raises; what comes up while reading the rows is the driver's own.
# A parameter with a lone surrogate, such as an argument that is no UTF-8, or a number of more than 64 bits gets as
# far as the driver.
_ERRORS = (peewee.PeeweeException, peewee.sqlite3.Error, UnicodeEncodeError, OverflowError)  # type: ignore[attr-defined]


IO_ERROR = "disk I/O error"
"""SQLite's words for what the operating system said."""


class Connection:
    """Statements in, rows out. Peewee keeps a connection a thread."""

    def __init__(self, peewee_database: peewee.SqliteDatabase, path: str) -> None:
        self.path = path
        self._peewee = peewee_database
        self._pid = os.getpid()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """What the statement returns, read to its end.

        Raises:
            DatabaseError: one of its kinds.
            DuplicateJob: a UNIQUE constraint failed.
        """
        try:
            return list(self._live().execute_sql(sql, parameters).fetchall())
        except _ERRORS as error:
            raise translate(error, self.path) from error

    def change(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """How many rows the statement changed; raises as `rows` does."""
        try:
            return int(self._live().execute_sql(sql, parameters).rowcount)
        except _ERRORS as error:
            raise translate(error, self.path) from error

    def change_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        """Run the statement once for each of `parameters`. Peewee has no call for it: its cursor has."""
        try:
            self._live().cursor().executemany(sql, parameters)
        except _ERRORS as error:
            raise translate(error, self.path) from error

    def select(self, query: peewee.Select) -> list[Row]:
        """The rows of a query made with the models, as tuples."""
        try:
            return list(query.tuples().execute(self._live()))
        except _ERRORS as error:
            raise translate(error, self.path) from error

    def in_transaction(self) -> bool:
        """Whether this thread's connection has begun a transaction and not ended it."""
        return bool(self._live().connection().in_transaction)

    def close(self) -> None:
        """Close this thread's connection; may be called twice."""
        if self._pid == os.getpid():
            self._peewee.close()

    def _live(self) -> peewee.SqliteDatabase:
        if self._pid != os.getpid():
            # A forked child must neither use the parent's connection nor close it: that would drop its locks.
            self._peewee.dispose()
            self._pid = os.getpid()
        return self._peewee


def translate(error: Exception, path: str) -> QueuectlError:
    """The error of our tree for one of Peewee's or the driver's, by SQLite's own words for it."""
    if isinstance(error, UnicodeEncodeError):
        return UsageError(f"expected text in valid UTF-8, got {error.object[:100]!a}")
    if isinstance(error, OverflowError):
        return UsageError("expected numbers of at most 64 bits, got a longer one")
    text = str(error)
    if "UNIQUE constraint" in text:
        return DuplicateJob(text)
    if IO_ERROR in text and not _is_full(path):
        return DatabaseError(f"{path}: {text}", hint="the disk, or its file system, has trouble: dmesg says more")
    if "disk is full" in text or IO_ERROR in text:
        return DiskFull(f"{path}: {text}", hint="free some space, then do it again: nothing was written")
    if "readonly" in text or ("unable to open" in text and not _may_write(path)):
        return DatabaseReadOnly(f"{path}: can't be written", hint="run it as the owner of the home")
    if "malformed" in text or "not a database" in text:
        return DatabaseDamaged(
            f"{path}: {text}", hint="`queuectl db check` says what is wrong, and which backup to restore"
        )
    if "locked" in text or "unable to open" in text:
        return DatabaseUnavailable(f"{path}: {text}", hint="another program holds it, or it can't be read; try again")
    return DatabaseError(f"{path}: {text}")


def _may_write(path: str) -> bool:
    places = [place for place in (path, os.path.dirname(path)) if os.path.exists(place)]
    return all(os.access(place, os.W_OK, effective_ids=True) for place in places)


def _is_full(path: str) -> bool:
    """Whether there is no room to write: SQLite calls it an I/O error where it is the shared index that can't grow."""
    try:
        return os.statvfs(os.path.dirname(path)).f_bavail == 0
    except OSError:
        return False
