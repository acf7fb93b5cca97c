"""A worker's dealings with the database: results go in, claims come out, one transaction for both."""

from __future__ import annotations

import logging
import time

from queuectl.domain.clock import now_ms
from queuectl.domain.states import Outcome, State
from queuectl.storage import claims
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.database import Database
from queuectl.worker.attempt import Attempt
from queuectl.worker.disk import Disk
from queuectl.worker.log import event
from queuectl.worker.slots import Slots
from queuectl.worker.stuck import tell_of_stuck

_NO_ROOM_PAUSE = 1.0
"""Seconds without a claim where the host had no room for one."""


class Ledger:
    """Knows what isn't written yet, and whether there may be something to claim."""

    def __init__(
        self, database: Database, worker: int, queues: tuple[str, ...] | None, slots: Slots, disk: Disk
    ) -> None:
        """`worker` is the row of this start; `queues` None = all."""
        self.done = 0
        """Attempts whose end was written."""
        self.unwritten: list[Ending] = []
        """Results are kept until they are on disk; nothing is claimed before."""
        self._database = database
        self._worker = worker
        self._queues = queues
        self._slots = slots
        self._disk = disk
        self._look = True
        """There may be something to claim."""
        self._heed_cancels = True
        """Somebody may have cancelled a job that runs here."""
        self._due_at: int | None = None
        """When the next of the waiting jobs is due, milliseconds since the epoch."""
        self._claim_at = 0.0
        """Nothing is claimed before, monotonic."""
        self._version = -1

    def hear(self) -> None:
        """Somebody committed something new."""
        self._look = self._heed_cancels = True

    def look_around(self) -> None:
        """See whether somebody did, without having said so. Raises DatabaseError."""
        version = self._database.version()
        if version != self._version:
            self._version = version
            self.hear()

    def take(self, over: list[Attempt]) -> None:
        """Accept attempts that are over, and free their slots."""
        for attempt in over:
            # A command that failed on a full disk isn't to blame: this attempt doesn't count. Unless it was its own
            # output that filled it: by then that has been cut, and there is room again.
            self.unwritten.append(self._slots.end(attempt, lambda: not self._disk.look()))
            self._look = True

    def work(self, now: float, *, claiming: bool) -> None:
        """Write what has ended, and take and start what is next. Raises DatabaseError: then nothing is lost."""
        wanted = self._slots.free if claiming and self._may_claim(now) else 0
        # Many woke up: a look without the write lock, unless the lock is needed all the same.
        if wanted and not self.unwritten and not claims.has_ready(self._database, self._queues, now_ms()):
            wanted = 0
            self._look = False
            self._due_at = claims.next_due(self._database)
        if wanted or self.unwritten:
            self._exchange(wanted, now)
        self._record(now)
        self._cancel(now)
        self._tell_of_stuck()

    def next_at(self, *, claiming: bool) -> float:
        """When `work` has something to do if nobody is heard before, monotonic."""
        if self.unwritten:
            return 0.0
        if not claiming or not self._slots.free:
            return float("inf")
        if self._look:
            return self._claim_at
        return float("inf") if self._due_at is None else time.monotonic() + (self._due_at - now_ms()) / 1000

    def is_drained(self) -> bool:
        """Whether nothing is pending, processing or failed in the queues. Raises DatabaseError."""
        return not self._look and not self.unwritten and claims.unfinished(self._database, self._queues) == 0

    def _may_claim(self, now: float) -> bool:
        if self._due_at is not None and now_ms() >= self._due_at:
            self._look = True
        if not self._look or not self._slots.free or now < self._claim_at:
            return False
        if self._disk.has_room(now):
            return True
        self._claim_at = now + _NO_ROOM_PAUSE
        return False

    def _exchange(self, wanted: int, now: float) -> None:
        claimed: list[Claim] = []
        with self._database.write():
            refused = claims.finish(self._database, self._worker, self.unwritten)
            if wanted:
                slots = self._slots.next_free(wanted)
                claimed = claims.claim(self._database, self._worker, self._queues, slots, now_ms())
                self._due_at = claims.next_due(self._database)
                self._look = len(claimed) == wanted
        written, self.unwritten = self.unwritten, []
        for ending in written:
            self._report(ending, fenced=ending in refused)
        for claim in claimed:
            self._start(claim, now)

    def _start(self, claim: Claim, now: float) -> None:
        failure = self._slots.start(claim, now)
        if failure is None:
            event("job.started", logging.DEBUG, id=claim.id, attempt=claim.number)
            return
        self.unwritten.append(failure)
        if failure.outcome is Outcome.RELEASED:
            # It would be claimed again at once: let the host come to itself.
            self._claim_at = now + _NO_ROOM_PAUSE

    def _report(self, ending: Ending, *, fenced: bool) -> None:
        """Log the end of an attempt, once it is on disk."""
        self.done += 1
        if fenced:
            event("job.fenced", logging.WARNING, id=ending.id, attempt=ending.number)
            return
        if ending.state is State.FAILED and ending.run_at is not None:
            self._due_at = min(self._due_at or ending.run_at, ending.run_at)
        if ending.state is State.PENDING:
            self._look = True
        name = "released" if ending.outcome is Outcome.RELEASED else ending.state.value
        level = logging.DEBUG if ending.state is State.COMPLETED else logging.INFO
        event(f"job.{name}", level, id=ending.id, attempt=ending.number, error=ending.error or "")

    def _record(self, now: float) -> None:
        """Write down the processes of jobs that run for a while; a power cut may lose it, and the processes too."""
        due = list(self._slots.unrecorded(now))
        if due:
            started = [(attempt.claim.job, attempt.claim.number, attempt.identify()) for attempt in due]
            with self._database.write(synced=False):
                claims.record_started(self._database, started)

    def _tell_of_stuck(self) -> None:
        for attempt in self._slots.running.values():
            stuck = attempt.newly_stuck()
            if stuck:
                tell_of_stuck(self._database, self._worker, attempt.claim, stuck)

    def _cancel(self, now: float) -> None:
        if self._heed_cancels and self._slots.running:
            for job, number in claims.cancel_requests(self._database, self._worker):
                attempt = self._slots.find(job, number)
                if attempt is not None:
                    attempt.end(Outcome.CANCELLED, now)
        self._heed_cancels = False
