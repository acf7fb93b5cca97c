"""Beginning anew after so many jobs or so much memory: against what leaks slowly. It is a reload, so no job notices."""

from __future__ import annotations

import os

from queuectl.domain.settings import Settings
from queuectl.worker.log import event

_PAUSE = 60.0
"""Seconds between two recyclings for memory: a limit below what a fresh worker takes mustn't make it begin for ever."""


class Recycling:
    """Knows when it is time."""

    def __init__(self, settings: Settings, now: float, done: int) -> None:
        """`done` is how many attempts ended before this program began, over all its reloads."""
        self._max_jobs = settings.max_jobs_per_worker
        self._max_memory = settings.max_memory_per_worker
        self._done = done
        self._memory_at = now + _PAUSE

    def is_due(self, now: float, done: int) -> bool:
        """Whether to begin anew, with so many attempts ended; True once for each time."""
        if self._max_jobs and done - self._done >= self._max_jobs:
            self._done = done
            event("worker.recycled", jobs=self._max_jobs)
            return True
        if self._max_memory and now >= self._memory_at and (size := _resident()) > self._max_memory:
            self._memory_at = now + _PAUSE
            event("worker.recycled", memory=size)
            return True
        return False


def _resident() -> int:
    """Bytes of this process's memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
