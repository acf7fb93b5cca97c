"""The log of a database that a group writes, and its index, which must be there before members open it.

They can make no file in the home. So its owner, and root, leave both behind where SQLite has removed them, as it does
when the last connection is closed; an empty log is none. Members can't remove them, which does no harm.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import TypeVar

from queuectl.domain.sharing import database_mode, is_shared
from queuectl.errors import DatabaseReadOnly, DatabaseUnavailable

_ENDS = ("-wal", "-shm")
_PATIENCE = 1.0
_PAUSE = 0.01

T = TypeVar("T")


def is_shared_here(path: str) -> bool:
    """Whether the database at `path` lies in a directory that is open to a group."""
    try:
        return is_shared(os.stat(os.path.dirname(path)).st_mode)
    except OSError:
        return False


def is_ours(path: str) -> bool:
    """Whether it does, and this process is its owner's or root's."""
    return is_shared_here(path) and os.geteuid() in (0, os.stat(path).st_uid)


def keep(path: str) -> None:
    """Leave the log and its index behind, now that this process has closed the database; nothing where the database is
    gone, and nothing is opened: to close what another thread has open would drop its locks."""
    try:
        owner = os.stat(path)
        mode = database_mode(os.stat(os.path.dirname(path)).st_mode)
        for end in _ENDS:
            try:
                os.mknod(path + end, mode | stat.S_IFREG)
            except FileExistsError:
                continue
            os.chmod(path + end, mode)
            if os.geteuid() == 0:
                os.chown(path + end, owner.st_uid, owner.st_gid)
    except OSError:
        pass  # removed meanwhile, or the disk is full: whoever opens it next says what is wrong


def patiently(open_it: Callable[[], T], path: str) -> T:
    """What `open_it` gives, where a member may come in the moment in which the owner closes.

    Raises:
        DatabaseUnavailable: the log isn't there, and this process can't make it.
        DatabaseError: what `open_it` raises.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return open_it()
        except (DatabaseReadOnly, DatabaseUnavailable):
            if time.monotonic() > until:
                if all(os.path.exists(path + end) for end in _ENDS):
                    raise
                raise DatabaseUnavailable(
                    f"{path}: its log was removed, and only its owner can make it anew",
                    hint="any command of the owner's does that, such as `queuectl status`, and so do workers",
                ) from None
        time.sleep(_PAUSE)
