"""Signals as bytes in a pipe: the handlers themselves do nothing, so no code is ever interrupted half way."""

from __future__ import annotations

import os
import signal
from types import FrameType

WATCHED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)


class Signals:
    """Where this process's signals arrive."""

    def __init__(self) -> None:
        """Take over the handlers; main thread only."""
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Python's own C handler writes the number; a full pipe loses nothing that matters, since one SIGCHLD means
        # "look at all children" and a hundred unread TERMs mean no more than two.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in WATCHED:
            signal.signal(number, _nothing)
            signal.siginterrupt(number, False)
        # The program before an exec blocked them until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def take(self) -> list[signal.Signals]:
        """The signals since the last time, in their order."""
        try:
            numbers = os.read(self._read, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in WATCHED]


def _nothing(_signum: int, _frame: FrameType | None) -> None:
    pass
