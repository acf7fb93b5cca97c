"""What is SQLite's alone: opening and checking the file, making it, and the pragmas.

Nothing here ever open()s an existing database file: closing the descriptor would drop the locks that SQLite
holds on it in this process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import peewee

from queuectl.domain.sharing import database_mode
from queuectl.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseForeign,
    DatabaseNewer,
    DatabaseUnavailable,
)
from queuectl.storage import kept_log, migrations
from queuectl.storage.connection import Connection
from queuectl.storage.write_lock import WriteLock, cannot_write

if TYPE_CHECKING:
    from queuectl.storage.database import Database

DAMAGED_HINT = "keep the file, put a backup in its place; nothing was written to it"
RESTORED = ".restored"
"""What a restored copy is called, behind the database's name, in the moment before it takes its place."""
_CHECKPOINT_PAGES = 16_384
"""How long the WAL may grow, in pages, before a command checkpoints it where no maintenance leader does: 64 MiB."""


def connector(path: str, *, synchronous: str, timeout: float, checkpoints: bool) -> peewee.SqliteDatabase:
    """Peewee's database for `path`; nothing is opened yet.

    No mmap: a truncated file would end the process by SIGBUS. `journal_mode` is set once, when the file is made:
    setting it again takes a lock, and 13 of 160 concurrent openers failed on it.
    """
    pragmas = {
        "synchronous": synchronous,
        "foreign_keys": 1,
        "wal_autocheckpoint": _CHECKPOINT_PAGES if checkpoints else 0,
    }
    return peewee.SqliteDatabase(path, pragmas=pragmas, timeout=timeout)


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of the file at `path`; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def prepare(database: Database, *, create: bool) -> tuple[int, int] | None:
    """Make the file if need be, check that it is sound and ours, and migrate it; returns its identity.

    Raises:
        DatabaseUnavailable: it isn't there, and `create` is false.
        DatabaseDamaged, DatabaseForeign, DatabaseNewer: it is, and isn't what it should be.
    """
    path = database.path
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        if not create:
            hint = "`queuectl enqueue` makes one; --home names another home"
            raise DatabaseUnavailable(f"{path}: there is no queue here", hint=hint) from None
        _make(path, WriteLock(database.lock_path, None))
        size = os.stat(path).st_size
    except OSError as error:
        raise cannot_write(path, error) from None
    if size == 0:
        raise DatabaseDamaged(f"{path}: expected a queue, got an empty file", hint=DAMAGED_HINT)
    # Before it is opened: whoever puts another file there in between makes this one "gone", and not the other way.
    opened = identity(path)
    shared = kept_log.is_shared_here(path) and not kept_log.is_ours(path)
    version = kept_log.patiently(lambda: _check(database, path), path) if shared else _check(database, path)
    if version < migrations.VERSION:
        with database.write():
            _migrate(database, _version(database))
    return opened


def schema_version(path: str) -> int:
    """The version of the database at `path`, as it stands; 0 where there is none."""
    if not os.path.exists(path):
        return 0
    looked = Connection(peewee.SqliteDatabase(path, timeout=5), path)
    try:
        return _version(looked)
    except DatabaseError:
        return 0  # whoever opens it says what is wrong
    finally:
        looked.close()


def _version(database: Connection) -> int:
    return int(database.rows("PRAGMA user_version")[0][0])


def _check(database: Database, path: str) -> int:
    try:
        application = database.rows("PRAGMA application_id")[0][0]
    except DatabaseDamaged as error:
        if "not a database" not in str(error):
            raise
        raise DatabaseForeign(
            f"{path}: expected a queue of queuectl, got a file that is no SQLite database", hint=DAMAGED_HINT
        ) from None
    if application != migrations.APPLICATION_ID:
        raise DatabaseForeign(
            f"{path}: expected a queue of queuectl, got another program's database",
            hint="name another file with `database:` or another home with --home; nothing was written to it",
        )
    version = _version(database)
    if migrations.major(version) > migrations.major(migrations.VERSION):
        raise DatabaseNewer(
            f"{path}: its schema is version {version}, this queuectl knows up to {migrations.VERSION}",
            hint="a newer queuectl wrote it: upgrade with pip install -U queuectl",
        )
    if _looks_truncated(database, path):
        # Look again where no writer can be between growing the file and resetting the WAL.
        with database.write(synced=False):
            truncated = _looks_truncated(database, path)
        if truncated:
            size = os.stat(path).st_size
            raise DatabaseDamaged(f"{path}: the file is cut short, at {size} bytes", hint=DAMAGED_HINT)
    return version


def _looks_truncated(database: Database, path: str) -> bool:
    """Whether the file is shorter than its header says. SQLite itself opens such a file without a word, and finds
    out page by page. Pages may still be in the WAL, so only an empty one lets us tell."""
    pages = database.rows("PRAGMA page_count")[0][0]
    page_size = database.rows("PRAGMA page_size")[0][0]
    try:
        wal = os.stat(path + "-wal").st_size
    except FileNotFoundError:
        wal = 0
    return wal == 0 and os.stat(path).st_size < pages * page_size


def _make(path: str, lock: WriteLock) -> None:
    """Make the database under another name and rename it: a crash on the way leaves nothing half made."""
    lock.acquire()
    try:
        if os.path.exists(path):
            return
        if os.path.exists(path + RESTORED) and not os.path.exists(path + "-wal"):
            # A restore was cut off between taking the former file away and this.
            os.rename(path + RESTORED, path)
            sync_directory(os.path.dirname(path))
            return
        if os.path.exists(path + "-wal"):
            # A fresh file would have a stranger's log replayed into it.
            raise DatabaseDamaged(
                f"{path}: is gone, but its log {path}-wal is there",
                hint=f"put the database back beside it; or, to begin anew, remove {path}-wal",
            )
        fresh = path + ".new"
        for leftover in (fresh, fresh + "-wal", fresh + "-shm", fresh + "-journal"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        # SQLite makes the log as the database is, whatever the umask.
        os.chmod(fresh, database_mode(os.stat(os.path.dirname(path)).st_mode))
        _fill(fresh)
        _own_as_the_home(fresh, lock.path)
        os.rename(fresh, path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        lock.release()


def _fill(path: str) -> None:
    fresh = Connection(peewee.SqliteDatabase(path, timeout=5), path)
    try:
        fresh.rows("PRAGMA auto_vacuum = incremental")
        fresh.rows("PRAGMA journal_mode = wal")
        fresh.rows("BEGIN IMMEDIATE")
        _migrate(fresh, 0)
        fresh.rows(f"PRAGMA application_id = {migrations.APPLICATION_ID:d}")
        fresh.rows("COMMIT")
        # The rename must find it all in the one file.
        fresh.rows("PRAGMA wal_checkpoint(truncate)")
    finally:
        fresh.close()


def _migrate(database: Connection, version: int) -> None:
    for step, statements in migrations.STEPS:
        if step > version:
            for statement in statements:
                database.rows(statement)
            database.rows(f"PRAGMA user_version = {step:d}")


def _own_as_the_home(fresh: str, lock: str) -> None:
    """Give what root made to the owner of the home, whose workers must be able to write it."""
    owner = os.stat(os.path.dirname(fresh))
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(fresh, owner.st_uid, owner.st_gid)
        os.chown(lock, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
