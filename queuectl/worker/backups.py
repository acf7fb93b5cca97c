"""Copies of the database that the maintenance leader has made, by a child: a loop that waited for a copy of some
gigabytes would serve nobody meanwhile."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_size
from queuectl.domain.settings import Settings
from queuectl.storage import backup
from queuectl.storage.vacuum import size
from queuectl.worker.log import event

if TYPE_CHECKING:
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
        self._child = 0
        """The pid of the one that copies."""
        self._said = -1
        """The memory file of what it says."""

    def work(self, now: float) -> None:
        """See after the child, and start one if a copy is due; `now` is monotonic."""
        if self._child:
            self._take_end(now)
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
        self._said = os.memfd_create("queuectl-backup")
        try:
            child = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said, start_new_session=True
            )
        except OSError as error:
            self._fail(f"{sys.executable}: {error.strerror}", now)
            return
        child.returncode = 0  # reaped with all other children
        self._child = child.pid
        self._slots.expect(child.pid)

    def _command(self) -> list[str]:
        """The same interpreter and program, told to copy."""
        program = sys.orig_argv[1 : sys.orig_argv.index("worker")]
        config = ["--config", self._place.config_file] if self._place.explicit_config else []
        copy = ["db", "backup", "--keep", str(self._keep), "--home", self._place.home, *config]
        return [sys.executable, *program, *copy]

    def _take_end(self, now: float) -> None:
        status = self._slots.exit_of(self._child)
        if status is None:
            return
        said = os.pread(self._said, 4096, 0).decode(errors="replace").strip()
        if status == 0:
            self._forget()
            event("leader.backup", said=said)
        else:
            self._fail(said or f"`db backup` ended with status {status}", now)

    def _fail(self, reason: str, now: float) -> None:
        self._forget()
        self._look_at = now + max(min(_AGAIN_AFTER, self._every), 1.0)
        event("leader.backup_failed", logging.WARNING, reason=reason)

    def _forget(self) -> None:
        self._child = 0
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
