"""Ending workers whose beat stands still: stopped, or stuck in the kernel, they hold their jobs for ever.

Every worker looks after all others, so that a leader that hangs is found as well.
"""

from __future__ import annotations

import logging
import os
import signal

from queuectl.pools.presence import Record, sightings
from queuectl.worker.log import event


class Watchman:
    """Remembers when each worker's beat was seen to change."""

    def __init__(self, locks: str, own_uuid: str, timeout: float) -> None:
        """`timeout` in seconds: how long a beat may stand still."""
        self._locks = locks
        self._own = own_uuid
        self._timeout = timeout
        self._seen: dict[str, tuple[Record, float]] = {}
        self._look_at = 0.0

    def work(self, now: float) -> None:
        """Look, if it is time to, and kill what hangs; the recovery of its jobs follows from its lock being free."""
        if now < self._look_at:
            return
        self._look_at = now + min(5.0, self._timeout / 4)
        for seen in sightings(self._locks):
            if not seen.held or seen.record is None or seen.record.uuid == self._own:
                continue
            record, since = self._seen.get(seen.name, (seen.record, now))
            if record != seen.record:
                record, since = seen.record, now
            self._seen[seen.name] = (record, since)
            # By this process's own clock, not by the file's time: a step of the clock kills nobody.
            if now - since > self._timeout:
                event("worker.hung", logging.WARNING, worker=seen.name, pid=record.pid, seconds=round(now - since))
                _kill(record.pid)
                del self._seen[seen.name]


def _kill(pid: int) -> None:
    """KILL works on what is stopped, where TERM waits for SIGCONT."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(fd)
