"""Ending a worker whose loop stands still: stopped, or stuck, it would hold its jobs for ever.

The kernel does it, by a timer that each beat winds again. Nobody has to be alive to find out: a lone worker is ended,
too, and the service manager starts the next one. That it is SIGKILL lets it work on what is stopped.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from queuectl.domain.clock import now_ms
from queuectl.execution.libc import KillTimer
from queuectl.pools.presence import Sighting
from queuectl.worker.log import event


class DeadMansSwitch:
    """Kills this process when nobody has said for `timeout` seconds that it is alive."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        # systemd's own watchdog has the same patience, and says in the journal what it did.
        self._timer = None if os.environ.get("WATCHDOG_PID") == str(os.getpid()) else KillTimer()
        self.alive()
        signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def over_an_exec(self) -> Iterator[None]:
        """Watch what happens in here, and the program that an exec begins until it has a switch of its own.

        An exec takes the other timer away, but not this one of setitimer(2), whose signal ends a program that has no
        handler for it. The lock of the database uses the same, and isn't waited for meanwhile.
        """
        signal.setitimer(signal.ITIMER_REAL, self._timeout)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def alive(self) -> None:
        """There is a sign of life."""
        if self._timer is not None:
            self._timer.wind(self._timeout)


def tell_of_silence(former: Sighting | None, timeout: float) -> None:
    """Log it where the `former` process of a worker's name ended without a word, and long after its last beat: who
    was killed by the timer couldn't say so. `timeout` in seconds."""
    if former is None or former.record is None:
        return
    silent = (now_ms() - former.beat_at) / 1000
    if silent >= timeout:
        event("worker.hung", logging.WARNING, worker=former.name, pid=former.record.pid, seconds=round(silent))
