"""Files of the home, owned and as open as the directory they lie in is: their owner's alone, unless that is shared.

Root may act on somebody's home; what it leaves there must be that person's, or their own queuectl stops working.
"""

from __future__ import annotations

import os
import tempfile

from queuectl.domain.sharing import file_mode
from queuectl.errors import ServiceError


def write(path: str, text: str) -> None:
    """Put `text` in the place of the file `path` at once: a reader sees the old or the new, never a part.

    Raises:
        ServiceError: it can't be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=os.path.dirname(path))
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                give_to_owner(file.fileno(), path)
                _open_as_the_directory(file.fileno(), path)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def open_lock(path: str) -> int:
    """A descriptor of the file `path`, made where it is missing, to be locked by flock; no child inherits it.

    Raises:
        ServiceError: it can't be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner(handle, path)
            _open_as_the_directory(handle, path)
        except BaseException:
            os.close(handle)
            raise
    except OSError as error:
        raise unwritable(path, error) from error
    return handle


def give_to_owner(handle: int, path: str) -> None:
    """Let the open file belong to whom the directory of `path` belongs to. Only root can, and only root needs to."""
    if os.geteuid() == 0:
        above, mine = os.stat(os.path.dirname(path)), os.fstat(handle)
        if (mine.st_uid, mine.st_gid) != (above.st_uid, above.st_gid):
            os.fchown(handle, above.st_uid, above.st_gid)


def _open_as_the_directory(handle: int, path: str) -> None:
    mode = file_mode(os.stat(os.path.dirname(path)).st_mode)
    if mode != 0o600:  # whatever the umask
        os.fchmod(handle, mode)


def unwritable(path: str, error: OSError) -> ServiceError:
    """The error to raise where the system wouldn't let queuectl write `path`."""
    return ServiceError(
        f"{path}: can't be written: {(error.strerror or str(error)).lower()}",
        hint="run it as the owner of the home, and look whether its disk is full or read-only",
    )
