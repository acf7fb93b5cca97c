"""Copies of the database that the maintenance leader has made, by a child: a loop that waited for a copy of some
gigabytes would serve nobody meanwhile."""

from __future__ import annotations

import logging
import os
import sys

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_size
from queuectl.domain.settings import Settings
from queuectl.storage import backup
from queuectl.storage.vacuum import size
from queuectl.worker.errand import Errand
from queuectl.worker.log import event
from queuectl.worker.slots import Slots

_LOOK_EVERY = 60.0
_FIRST_AFTER = 60.0
"""Seconds that a leader serves before it has a copy made: at the start of a machine there is more to do."""
_AGAIN_AFTER = 600.0
"""Seconds after a copy that failed."""


class Backups:
    """Knows when the next copy is due, and has it made."""

    def __init__(self, place: Installation, settings: Settings, path: str, slots: Slots) -> None:
        """`path` is the database's; `slots` reaps the children."""
        self._place = place
        self._path = path
        self._slots = slots
        self._every = settings.backup_every
        self._keep = settings.backup_keep
        self._min_free = settings.min_free_space
        self._look_at: float | None = None
        self._copy: Errand | None = None

    def work(self, now: float) -> None:
        """See after the child, and start one if a copy is due; `now` is monotonic."""
        if self._copy is not None:
            self._take_end(self._copy, now)
        elif self._every and now >= self._next_look(now):
            self._look_at = now + min(_LOOK_EVERY, self._every)
            if self._is_due():
                self._start(now)

    def _next_look(self, now: float) -> float:
        if self._look_at is None:
            self._look_at = now + min(_FIRST_AFTER, self._every)
        return self._look_at

    def _is_due(self) -> bool:
        copies = backup.dated(self._place.backups)
        # One from the future, since the clock was set back, says nothing of how old the others are.
        past = [copy.taken_at for copy in copies if copy.taken_at <= now_ms()]
        return not past or now_ms() - past[0] >= self._every * 1000

    def _start(self, now: float) -> None:
        disk = os.statvfs(self._place.home)
        wanted = size(self._path) + self._min_free
        if disk.f_bavail * disk.f_frsize < wanted:
            self._fail(f"expected {format_size(wanted)} free for a copy and min_free_space, got less", now)
            return
        try:
            self._copy = Errand(self._place, self._slots, "backup", ("db", "backup", "--keep", str(self._keep)))
        except OSError as error:
            self._fail(f"{sys.executable}: {error.strerror}", now)

    def _take_end(self, copy: Errand, now: float) -> None:
        end = copy.end()
        if end is None:
            return
        self._copy = None
        if end.status == 0:
            event("leader.backup", said=end.said)
        else:
            self._fail(end.said, now)

    def _fail(self, reason: str, now: float) -> None:
        self._look_at = now + max(min(_AGAIN_AFTER, self._every), 1.0)
        event("leader.backup_failed", logging.WARNING, reason=reason)
