"""Copies of a database while it is in use: whole, in one file, or not there at all."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from queuectl.errors import DatabaseError, DiskFull
from queuectl.storage.sqlite import sync_directory
from queuectl.storage.write_lock import cannot_write

if TYPE_CHECKING:
    from queuectl.storage.database import Database

_DATED = re.compile(r"queue-(\d{8}T\d{6}Z)\.db")
_LEFT = re.compile(r"queue-\d{8}T\d{6}Z\.db\.\d+\.new(?:-journal)?")
_FORM = "%Y%m%dT%H%M%SZ"


class Backup(NamedTuple):
    """A copy that has its time in its name."""

    path: str
    taken_at: int
    """Milliseconds since the epoch."""


def stamp(ms: int) -> str:
    """A time as it stands in a file's name: `20261124T064520Z`; names sort as times do."""
    return datetime.fromtimestamp(ms // 1000, timezone.utc).strftime(_FORM)


def dated_path(directory: str, now: int) -> str:
    """Where a copy taken now belongs."""
    return os.path.join(directory, f"queue-{stamp(now)}.db")


def dated(directory: str) -> list[Backup]:
    """The copies with their times in their names, the newest first. Files with other names are a person's."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = [(match[1], name) for name in names if (match := _DATED.fullmatch(name))]
    backups = []
    for text, name in sorted(found, reverse=True):
        try:
            taken = datetime.strptime(text, _FORM).replace(tzinfo=timezone.utc)
        except ValueError:  # the 31st of February
            continue
        backups.append(Backup(os.path.join(directory, name), int(taken.timestamp() * 1000)))
    return backups


def rotate(directory: str, keep: int) -> list[str]:
    """Remove dated copies but for the newest `keep`, and what copies that were interrupted left; the paths.

    Raises OSError. One rotates a directory at a time.
    """
    old = [backup.path for backup in dated(directory)[keep:]]
    for path in [*old, *(os.path.join(directory, name) for name in os.listdir(directory) if _LEFT.fullmatch(name))]:
        os.unlink(path)
    return old


def write(database: Database, path: str, *, overwrite: bool = False) -> int:
    """Copy the database to `path`, as it stands at this moment, and return the copy's bytes. Workers go on meanwhile.

    The file is its owner's alone, belongs to whom the database belongs to, and is on the disk when this returns; a
    crash on the way leaves at most a file called PATH.PID.new.

    Raises:
        DatabaseError: something is there already, and `overwrite` is false; or it can't be written.
    """
    path = os.path.abspath(path)
    _refuse_own(database, path)
    if not overwrite and os.path.lexists(path):
        raise DatabaseError(f"{path}: is there already", hint="name another file, or --force replaces it")
    fresh = f"{path}.{os.getpid()}.new"
    try:
        fd = _create(fresh)
        try:
            owner = os.stat(database.path)
            if os.geteuid() == 0:
                os.fchown(fd, owner.st_uid, owner.st_gid)
            # Not SQLite's backup call: beside busy writers it begins anew without end. Not a copy of the files: it
            # would be of several moments.
            database.rows("VACUUM INTO ?", (fresh,))
            os.fsync(fd)
            size = os.fstat(fd).st_size
            os.rename(fresh, path)
        except BaseException:
            _remove(fresh)
            _remove(f"{fresh}-journal")
            raise
        finally:
            os.close(fd)
        sync_directory(os.path.dirname(path))
    except DiskFull:
        raise DiskFull(f"{path}: no room for a copy of the database", hint="free some space") from None
    except OSError as error:
        raise cannot_write(path, error) from None
    return size


def _create(path: str) -> int:
    """A new, private file; an empty one is what VACUUM INTO takes. In a directory that others can write to nobody can
    have put a link, or a file of theirs, in its place."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        _remove(path)  # of a process that had this pid before
        return os.open(path, flags, 0o600)


def _refuse_own(database: Database, path: str) -> None:
    """A copy over the database itself, or over what belongs to it, would be its end."""
    home = os.path.realpath(os.path.dirname(database.path))
    target = os.path.realpath(path)
    own = {os.path.basename(database.path) + end for end in ("", "-wal", "-shm", "-journal", ".restored")}
    if target == os.path.realpath(database.path) or (
        os.path.dirname(target) == home and os.path.basename(target) in {*own, os.path.basename(database.lock_path)}
    ):
        raise DatabaseError(f"{path}: is the queue itself, not a place for its copy", hint="name another file")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
