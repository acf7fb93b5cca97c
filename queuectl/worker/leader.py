"""The maintenance leader: one worker of all, by a lock, does what needs doing once."""

from __future__ import annotations

import fcntl
import os

from queuectl.config.installation import refused
from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Settings
from queuectl.domain.states import State
from queuectl.execution.place import forget_outputs
from queuectl.storage import retention, trail
from queuectl.storage.database import Database
from queuectl.worker.backups import Backups
from queuectl.worker.log import event
from queuectl.worker.recovery import Recovery
from queuectl.worker.sweeping import Sweeper

_RECOVER_EVERY = 0.5
_RETENTION_EVERY = 60.0
_CHECKPOINT_FROM = 4 * 2**20
"""Bytes of the log: below it a checkpoint isn't worth its two syncs."""
_TRUNCATE_FROM = 256 * 2**20


class Leader:
    """Wants to be the leader, and does its work while it is."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        locks: str,
        outputs: str,
        recovery: Recovery,
        backups: Backups,
    ) -> None:
        self._database = database
        self._outputs = outputs
        self._recovery = recovery
        self._backups = backups
        self._kept = _kept_for(settings)
        self._audit_kept = settings.retention_audit
        self._sweeper = Sweeper(database, outputs, self._kept[State.COMPLETED])
        self._lock_path = os.path.join(locks, "leader.lock")
        self._fd = -1
        self._recover_at = 0.0
        self._retain_at = 0.0

    def work(self, now: float) -> None:
        """Do what is due at `now`, monotonic; each step is short. Raises DatabaseError."""
        if now < self._recover_at:
            return
        self._recover_at = now + _RECOVER_EVERY
        if self._fd < 0 and not self._elected():
            return
        self._recovery.look(now)
        self._checkpoint()
        self._backups.work(now)
        if now >= self._retain_at:
            self._retain_at = now + (_RECOVER_EVERY if self._forget() else _RETENTION_EVERY)
        self._sweeper.work(now)

    @property
    def next_at(self) -> float:
        """When `work` has something to do, monotonic."""
        return self._recover_at

    def _elected(self) -> bool:
        try:
            fd = os.open(self._lock_path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refused(error, self._lock_path) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        event("leader.elected")
        return True

    def _checkpoint(self) -> None:
        try:
            size = os.stat(self._database.path + "-wal").st_size
        except FileNotFoundError:
            return
        if size >= _CHECKPOINT_FROM:
            retention.checkpoint(self._database, truncate=size >= _TRUNCATE_FROM)

    def _forget(self) -> bool:
        """Forget some of what has been kept for long enough; returns whether there may be more."""
        more = False
        for state, seconds in self._kept.items():
            found = retention.expired(self._database, state, now_ms() - round(seconds * 1000)) if seconds else []
            if not found:
                continue
            retention.forget(self._database, [row for row, _ in found], state)
            for _, job_id in found:
                forget_outputs(self._outputs, job_id)
            event("leader.retention", state=state, jobs=len(found))
            more = more or len(found) == retention.AT_ONCE
        return self._forget_audit() or more

    def _forget_audit(self) -> bool:
        if not self._audit_kept:
            return False
        forgotten = trail.trim(self._database, now_ms() - round(self._audit_kept * 1000))
        if forgotten:
            event("leader.retention", audit=forgotten)
        return forgotten == trail.AT_ONCE


def _kept_for(settings: Settings) -> dict[State, float]:
    ended = settings.cleanup_completed_after_hours * 3600
    return {State.COMPLETED: ended, State.CANCELLED: ended, State.DEAD: settings.retention_dead}
