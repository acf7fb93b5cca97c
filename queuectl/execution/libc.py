"""The gateway to what the standard library has no call for: prctl and fallocate."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become_subreaper() -> None:
    """Adopt the orphans among this process's descendants, as init would; kept over exec. Raises OSError."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def signal_at_death_of_parent(signum: int) -> None:
    """Have the kernel send `signum` here when the thread that spawned this process ends. Raises OSError."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0))


def punch_hole(fd: int, start: int, length: int) -> None:
    """Give the blocks of a part of a file back; it reads as zeros from now on. Raises OSError."""
    flags = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
    _check(_libc.fallocate(fd, flags, ctypes.c_long(start), ctypes.c_long(length)))
