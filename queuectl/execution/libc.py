"""The gateway to what the standard library has no call for: prctl, fallocate, and timers that send any signal."""

from __future__ import annotations

import ctypes
import os
import signal
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_SIGEV_SIGNAL = 0


class _Sigevent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", ctypes.c_long * 2), ("value", ctypes.c_long * 2))


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


class KillTimer:
    """A timer of the kernel's that kills this process when it has run out, also where the process is stopped.

    An exec and the process's end take it away; children don't inherit it. It stands still while the machine sleeps.
    See timer_create(2).
    """

    def __init__(self) -> None:
        """Raises OSError: the process may have no more timers."""
        self._timer = ctypes.c_void_p()
        kill = _Sigevent(signo=signal.SIGKILL, notify=_SIGEV_SIGNAL)
        _check(_libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(kill), ctypes.byref(self._timer)))

    def wind(self, seconds: float) -> None:
        """Have it run out in so many seconds from now, whatever it was set to. Raises OSError."""
        whole, part = divmod(seconds, 1)
        left = _Itimerspec(value=(int(whole), int(part * 1e9)))
        _check(_libc.timer_settime(self._timer, 0, ctypes.byref(left), None))
