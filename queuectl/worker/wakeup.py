"""Sleeping until there is something to do: a signal, new work, or a time."""

from __future__ import annotations

import select

from inotify_simple import INotify, flags

from queuectl.worker.signals import Signals


class Wakeup:
    """Watches the write lock's file, to which whoever commits new work writes a byte.

    The watch stands before the worker looks for work, so a commit between the look and the sleep ends the sleep.
    """

    def __init__(self, signals: Signals, lock_path: str) -> None:
        """Raises OSError: there is no such file, or the system's limit of watches is reached."""
        self._signals = signals.fileno()
        self._inotify = INotify()
        self._inotify.add_watch(lock_path, flags.MODIFY)
        self._poll = select.poll()
        self._poll.register(self._signals, select.POLLIN)
        self._poll.register(self._inotify.fileno(), select.POLLIN)

    def sleep(self, seconds: float) -> bool:
        """Wait for at most `seconds`; returns whether somebody committed new work."""
        # Rounded up: to wake a fraction of a millisecond early would mean to spin until the time has come.
        ready = self._poll.poll(int(seconds * 1000) + 1 if seconds > 0 else 0)
        if not any(fd == self._inotify.fileno() for fd, _ in ready):
            return False
        self._inotify.read(timeout=0)
        return True
