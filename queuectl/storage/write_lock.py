"""The lock that every writer takes before BEGIN IMMEDIATE, and the wake-up that a commit sends.

SQLite's busy handler polls and starves: beside two workers at full speed an enqueue waited up to 1.9 s, and some
failed. The kernel serves waiters of a blocking flock in turn: 0.19 s at the worst, no failure.
"""

from __future__ import annotations

import fcntl
import os
import signal
from types import FrameType

from queuectl.domain.sharing import database_mode
from queuectl.errors import DatabaseReadOnly, DatabaseUnavailable, DiskFull, QueuectlError


class WriteLock:
    """Held between `acquire` and `release`; one object a transaction at a time.

    The file is opened anew each time: threads and forked children that shared a descriptor would share the lock.
    """

    def __init__(self, path: str, patience: float | None) -> None:
        """`patience` in seconds bounds `acquire`, in the main thread only; None waits as long as it takes."""
        self.path = path
        self._patience = patience
        self._fd = -1

    def acquire(self) -> None:
        """Wait for the lock.

        Raises:
            DatabaseUnavailable: `patience` is over.
            DatabaseReadOnly: the file can't be opened for writing.
        """
        fd = open_lock_file(self.path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                if self._patience is None:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                else:
                    _flock_within(fd, self._patience)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd

    def wake(self) -> None:
        """Tell the workers, who watch the file by inotify, that there is something new.

        A byte at offset 0: the file never grows. A watch on SQLite's own WAL fires before the commit can be seen.
        """
        try:
            os.pwrite(self._fd, b"\n", 0)
        except OSError:
            pass  # no room for the first byte, say: the work is committed, and workers look by themselves too

    def release(self) -> None:
        """Let the next one in."""
        fd, self._fd = self._fd, -1
        try:
            # Closing alone wouldn't do: a child that another thread forked meanwhile shares the descriptor.
            fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)


def open_lock_file(path: str) -> int:
    """A descriptor of the lock file, made if need be.

    Raises:
        DatabaseReadOnly, DatabaseUnavailable, DiskFull: it can't be opened.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            fd = os.open(path, flags | os.O_CREAT, 0o600)
        mode = database_mode(os.stat(os.path.dirname(path)).st_mode)
        if mode != 0o600:  # whatever the umask
            os.fchmod(fd, mode)
        return fd
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: str, error: OSError) -> QueuectlError:
    """The error of the tree for an operating system's `error` about `path`."""
    import errno

    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "run it as the owner of the home, or name another home with --home"
        return DatabaseReadOnly(f"{path}: can't be written: {error.strerror}", hint=hint)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{path}: {error.strerror}", hint="free some space, then do it again: nothing was written")
    return DatabaseUnavailable(f"{path}: {error.strerror}", hint="is the home there? --home names another")


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise DatabaseUnavailable("the write lock is taken", hint="some process writes for unusually long")


def _flock_within(fd: int, seconds: float) -> None:
    # A timer's signal ends the system call; polling with LOCK_NB instead would lose every race against waiters
    # in the kernel's queue. Where the signal comes just after the lock, the caller closes the descriptor: no harm.
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
