"""Putting a copy in the place of a database that may be damaged, or gone. The copy itself is only read, and what was
there before is kept."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from queuectl.domain.findings import Severity
from queuectl.domain.sharing import database_mode
from queuectl.errors import DatabaseDamaged, DatabaseError, DatabaseNewer
from queuectl.storage import integrity
from queuectl.storage.backup import stamp
from queuectl.storage.database import Database
from queuectl.storage.sqlite import RESTORED, sync_directory
from queuectl.storage.write_lock import WriteLock, cannot_write

_ASIDE = ".before-restore-"
_STAGED = ".restoring"


class Content(NamedTuple):
    """What is in a copy."""

    jobs: int
    processing: int
    changed_at: int | None
    """When the last of its jobs changed: milliseconds since the epoch. None where there is no job."""


@contextmanager
def staged(file: str, path: str) -> Iterator[Database]:
    """A copy of `file` beside the database at `path`, opened, migrated, in the mode of a queue, and sound.

    Raises:
        DatabaseError: one of its kinds; `file` isn't a sound queue that this version can read.
    """
    place = path + _STAGED
    try:
        try:
            _copy(file, place, path)
        except OSError as error:
            raise cannot_write(place, error) from None
        database = _opened(file, place)
        try:
            yield database
        finally:
            database.close()
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            _remove(place + end)


def content(database: Database) -> Content:
    """What is in the opened copy."""
    jobs, processing, changed_at = database.rows(
        "SELECT count(*), coalesce(sum(state = 'processing'), 0), max(updated_at) FROM jobs"
    )[0]
    return Content(jobs, processing, changed_at)


def put_in_place(copy: Database, path: str, now: int, refuse: Callable[[], None]) -> str | None:
    """Close the staged copy and make it the database at `path`; returns where the former one is kept, if there was one.

    Under the write lock, where `refuse` may still raise. Whoever had the former file open can't write to it any more,
    see `Database.refuse_if_gone`. Cut off at any point, the next one to open the database finds either of the two, or
    is told.
    """
    copy.rows("PRAGMA wal_checkpoint(truncate)")
    copy.close()
    lock = WriteLock(copy.lock_path, None)
    lock.acquire()
    try:
        refuse()
        aside = _free(path + _ASIDE + stamp(now))
        _sync(copy.path)
        os.rename(copy.path, path + RESTORED)
        # The log last: without its database it is an error to open, where a database without its log would be one that
        # has lost its latest jobs without a word.
        kept = [end for end in ("", "-wal") if _move(path + end, aside + end)]
        _remove(path + "-shm")
        os.rename(path + RESTORED, path)
        sync_directory(os.path.dirname(path))
        lock.wake()
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        lock.release()
    return aside if kept else None


def _copy(file: str, place: str, path: str) -> None:
    """The file and, where it has one, its log; both the home's owner's, and as open as a queue in it is."""
    try:
        found = os.stat(file)
    except OSError as error:
        raise DatabaseError(f"{file}: can't be read: {(error.strerror or '').lower()}") from None
    if not stat.S_ISREG(found.st_mode):
        raise DatabaseError(f"{file}: expected a backup, got no file")
    if os.path.exists(path) and os.path.samefile(file, path):
        raise DatabaseError(f"{file}: is the queue itself", hint="name a backup: queuectl db backup makes one")
    owner = os.stat(os.path.dirname(path))
    for end in ("", "-wal"):
        _remove(place + end)
        if end and not os.path.exists(file + end):
            continue
        try:
            source = open(file + end, "rb")  # noqa: SIM115
        except OSError as error:
            raise DatabaseError(f"{file + end}: can't be read: {(error.strerror or '').lower()}") from None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with source, open(os.open(place + end, flags, 0o600), "wb") as target:
            if os.geteuid() == 0:
                os.fchown(target.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(target.fileno(), database_mode(owner.st_mode))
            shutil.copyfileobj(source, target, 2**20)


def _opened(file: str, place: str) -> Database:
    try:
        database = Database(place, create=False)
        try:
            _make_sound(database)
        except BaseException:
            database.close()
            raise
    except DatabaseError as error:
        # It is about the file that the person named.
        newer = isinstance(error, DatabaseNewer)
        hint = error.hint if newer else "choose another backup; nothing was changed"
        raise type(error)(str(error).replace(place, file), hint=hint) from None
    return database


def _make_sound(database: Database) -> None:
    """Make the opened copy what a queue is, or raise DatabaseError."""
    for finding in integrity.examine(database, ""):
        # What else is wrong is mended on the way.
        if finding.check == "file" and finding.severity is Severity.ERROR:
            raise DatabaseDamaged(f"{database.path}: {finding.found}")
    integrity.repair(database)
    # A copy that VACUUM INTO made is in the mode without a log, and nobody sets it later.
    if database.rows("PRAGMA journal_mode = wal") != [("wal",)]:
        raise DatabaseError(f"{database.path}: can't be put into WAL mode, which needs a local disk")


def _free(path: str) -> str:
    """The path, or with a number behind it where something has that name."""
    number, found = 1, path
    while os.path.lexists(found) or os.path.lexists(found + "-wal"):
        number += 1
        found = f"{path}-{number}"
    return found


def _move(source: str, target: str) -> bool:
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync(path: str) -> None:
    # Closed by SQLite, and opened by nobody else: there is no lock to drop.
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
