"""The loop of a worker: one thread, which never waits for anything but its next reason to act."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import NamedTuple

from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Settings
from queuectl.domain.states import Outcome, State
from queuectl.errors import DatabaseError
from queuectl.pools.presence import Presence, Record
from queuectl.storage import claims, workers
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.database import Database
from queuectl.worker.attempt import Attempt
from queuectl.worker.disk import Disk
from queuectl.worker.hung import Watchman
from queuectl.worker.leader import Leader
from queuectl.worker.log import event
from queuectl.worker.recovery import Recovery
from queuectl.worker.signals import Signals
from queuectl.worker.slots import Slots
from queuectl.worker.wakeup import Wakeup

_LOOK_EVERY = 0.5
"""Seconds between looks for work that nobody announced."""
_LOOK_EVERY_DRAINING = 0.02
"""The same where what is waited for is that others finish, which nobody announces."""
_BEAT_EVERY = 0.5
_TROUBLE_PAUSE = 0.1
"""Seconds before a database that couldn't be written is tried again."""
_NO_ROOM_PAUSE = 1.0
"""Seconds without a claim where the host had no room for one."""
_ORPHAN_GRACE = 3.0
"""Seconds that jobs get to end when the service manager died: its successor starts another worker of this name."""

_RECOVERY_STEP = 0.01
_GIVE_UP_AFTER = 10.0
"""Seconds for which a worker that should end goes on trying to write its last results. The next one recovers them."""

EXIT_OK, EXIT_UNWRITTEN, EXIT_GONE = 0, 1, 78
"""78: started again it would only find the same."""


class Identity(NamedTuple):
    """Who this worker is."""

    row: int
    uuid: str
    name: str
    parent: int
    """The pid of the process that started it."""
    started_at: int


class Worker:
    """Claims, runs and ends jobs until it is told to stop."""

    def __init__(
        self,
        identity: Identity,
        settings: Settings,
        queues: tuple[str, ...] | None,
        database: Database,
        presence: Presence,
        signals: Signals,
        slots: Slots,
        recovery: Recovery,
        leader: Leader,
        *,
        drain: bool,
    ) -> None:
        self._identity = identity
        self._settings = settings
        self._queues = queues
        self._database = database
        self._presence = presence
        self._signals = signals
        self._slots = slots
        self._recovery = recovery
        self._leader = leader
        self._watchman = Watchman(os.path.dirname(presence.path), identity.uuid, settings.job_lock_timeout)
        self._wakeup = Wakeup(signals, database.lock_path)
        self._disk = Disk(os.path.dirname(database.path), settings.min_free_space)
        self._drain = drain
        self._state = "running"
        self._stop_at: float | None = None
        """When what still runs is ended, once stopping; monotonic."""
        self._done = 0
        self._beat = 0
        self._beat_at = 0.0
        self._endings: list[Ending] = []
        """Not yet written: kept until they are."""
        self._look = True
        """There may be something to claim."""
        self._look_at = 0.0
        self._due_at: int | None = None
        """When the next of the waiting jobs is due, milliseconds since the epoch."""
        self._version = -1
        self._heed_cancels = True
        """Somebody may have cancelled a job that runs here."""
        self._trouble_until: float | None = None
        self._claim_at = 0.0
        """Nothing is claimed before, monotonic."""
        self._give_up_at = float("inf")

    def run(self) -> int:
        """Work until there is a reason to end; returns the exit code."""
        event("worker.started", worker=self._identity.name, pid=os.getpid(), slots=self._slots.size)
        while True:
            now = time.monotonic()
            for number in self._signals.take():
                self._receive(number, now)
            if self._stop_at is not None and now >= self._stop_at:
                self._hasten(now, None)
            self._end(self._slots.reap(now))
            self._end(self._slots.advance(now))
            self._serve(now)
            self._watchman.work(now)
            self._publish(now)
            if self._is_finished():
                return self._leave(EXIT_OK)
            if now >= self._give_up_at and not self._slots.running:
                return self._leave(EXIT_UNWRITTEN)
            if now >= self._look_at:
                self._look_at = now + (_LOOK_EVERY_DRAINING if self._drain else _LOOK_EVERY)
                if self._database.is_gone():
                    return self._abandon()
            if self._wakeup.sleep(max(0.0, self._next_at() - time.monotonic())):
                self._look = self._heed_cancels = True

    # --- what is asked of it -----------------------------------------------------------------------------------

    def _receive(self, number: signal.Signals, now: float) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if os.getppid() != self._identity.parent:
                self._stop(now, 0)
                self._hasten(now, min(_ORPHAN_GRACE, self._settings.kill_grace))
            elif self._state == "stopping":
                self._hasten(now, None)
            else:
                self._stop(now, self._settings.shutdown_timeout)
        elif number == signal.SIGQUIT:
            self._stop(now, 0)
            self._hasten(now, 0)
        elif number == signal.SIGUSR2 and self._state == "running":
            self._state = "draining"
            event("worker.draining", worker=self._identity.name, running=len(self._slots.running))
        elif number == signal.SIGUSR1:
            self._tell_state()
        elif number == signal.SIGCHLD:
            return
        self._beat_at = 0.0

    def _stop(self, now: float, timeout: float) -> None:
        if self._state == "stopping":
            return
        self._state = "stopping"
        self._stop_at = now + timeout
        event("worker.stopping", worker=self._identity.name, running=len(self._slots.running), timeout=timeout)

    def _hasten(self, now: float, grace: float | None) -> None:
        """End what runs, now; `grace` in seconds, None = each job's own."""
        self._stop_at = None
        self._give_up_at = now + self._settings.kill_grace + _GIVE_UP_AFTER
        if self._slots.running:
            event("worker.hastened", worker=self._identity.name, running=len(self._slots.running))
        self._slots.end_all(Outcome.RELEASED, now, grace)

    def _tell_state(self) -> None:
        event(
            "worker.state", worker=self._identity.name, state=self._state, done=self._done, unwritten=len(self._endings)
        )
        for attempt in self._slots.running.values():
            claim = attempt.claim
            event("worker.state", slot=claim.slot, id=claim.id, attempt=claim.number, pid=attempt.process.pid)

    def _is_finished(self) -> bool:
        if self._slots.running or self._endings:
            return False
        if self._state == "stopping":
            return True
        if not self._drain or self._look or self._recovery.busy or self._trouble_until is not None:
            return False
        return claims.unfinished(self._database, self._queues) == 0

    # --- the database ------------------------------------------------------------------------------------------

    def _serve(self, now: float) -> None:
        """All that takes the database; while it can't be written, nothing is claimed and results are kept."""
        if self._trouble_until is not None and now < self._trouble_until:
            return
        try:
            self._with_the_database(now)
        except DatabaseError as error:
            if self._trouble_until is None:
                event("database.trouble", logging.WARNING, error=str(error))
            self._trouble_until = now + _TROUBLE_PAUSE
        else:
            if self._trouble_until is not None:
                self._trouble_until = None
                event("database.well")

    def _with_the_database(self, now: float) -> None:
        self._watch_for_work(now)
        wanted = self._slots.free if self._may_claim(now) else 0
        if wanted and not self._endings and not claims.has_ready(self._database, self._queues, now_ms()):
            self._look = False
            self._due_at = claims.next_due(self._database)
            wanted = 0
        if wanted or self._endings:
            self._exchange(wanted, now)
        self._record(now)
        self._cancel(now)
        self._leader.work(now)
        self._recovery.step(now)

    def _watch_for_work(self, now: float) -> None:
        if self._due_at is not None and now_ms() >= self._due_at:
            self._look = True
        if now >= self._look_at:
            version = self._database.version()
            if version != self._version:
                self._version = version
                self._look = self._heed_cancels = True

    def _may_claim(self, now: float) -> bool:
        if not self._look or self._state != "running" or not self._slots.free or now < self._claim_at:
            return False
        if self._disk.has_room(now):
            return True
        self._claim_at = now + _NO_ROOM_PAUSE
        return False

    def _exchange(self, wanted: int, now: float) -> None:
        """Write what has ended and take what is next, in one transaction: one sync for both."""
        claimed: list[Claim] = []
        with self._database.write():
            refused = claims.finish(self._database, self._identity.row, self._endings) if self._endings else []
            if wanted:
                slots = self._slots.next_free(wanted)
                claimed = claims.claim(self._database, self._identity.row, self._queues, slots, now_ms())
                self._due_at = claims.next_due(self._database)
                self._look = len(claimed) == wanted
        written, self._endings = self._endings, []
        for ending in written:
            self._report(ending, ending in refused)
        for claim in claimed:
            failure = self._slots.start(claim, now)
            if failure is None:
                event("job.started", logging.DEBUG, id=claim.id, attempt=claim.number)
            else:
                self._endings.append(failure)
                # Given back, it would be claimed again at once: let the host come to itself.
                if failure.outcome is Outcome.RELEASED:
                    self._claim_at = now + _NO_ROOM_PAUSE

    def _report(self, ending: Ending, fenced: bool) -> None:
        """Log the end of an attempt once it is on disk."""
        self._done += 1
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

    def _end(self, over: list[Attempt]) -> None:
        for attempt in over:
            # A command that failed on a full disk isn't to blame: this attempt doesn't count.
            full = attempt.failed and not self._disk.look()
            self._endings.append(self._slots.end(attempt, forgiven=full))
            self._look = True

    def _record(self, now: float) -> None:
        """Write down the processes of jobs that run for a while; a power cut may lose it, and the processes too."""
        due = list(self._slots.unrecorded(now))
        if due:
            started = [(attempt.claim.job, attempt.claim.number, attempt.identify()) for attempt in due]
            with self._database.write(synced=False):
                claims.record_started(self._database, started)

    def _cancel(self, now: float) -> None:
        if self._heed_cancels and self._slots.running:
            for job, number in claims.cancel_requests(self._database, self._identity.row):
                attempt = self._slots.find(job, number)
                if attempt is not None:
                    attempt.end(Outcome.CANCELLED, now)
        self._heed_cancels = False

    # --- time --------------------------------------------------------------------------------------------------

    def _next_at(self) -> float:
        """When there is a reason to act if nothing comes before, monotonic."""
        due = [self._look_at, self._leader.next_at]
        if self._trouble_until is not None:
            due = [self._trouble_until]
        elif self._endings:
            return 0.0
        elif self._look and self._slots.free and self._state == "running":
            due.append(self._claim_at)
        elif self._due_at is not None and self._slots.free and self._state == "running":
            due.append(time.monotonic() + (self._due_at - now_ms()) / 1000)
        if self._recovery.busy:
            due.append(time.monotonic() + _RECOVERY_STEP)
        if self._stop_at is not None:
            due.append(self._stop_at)
        due += [attempt.next_at() for attempt in self._slots.running.values()]
        return min(due)

    def _publish(self, now: float) -> None:
        if now < self._beat_at:
            return
        self._beat_at = now + _BEAT_EVERY
        self._beat += 1
        running = len(self._slots.running)
        who = self._identity
        self._presence.publish(
            Record(who.uuid, os.getpid(), self._state, running, self._done, who.started_at, self._beat)
        )

    # --- the end -----------------------------------------------------------------------------------------------

    def _leave(self, code: int) -> int:
        self._slots.close()
        try:
            workers.retire(self._database, self._identity.row, now_ms())
        except DatabaseError:
            pass  # the next worker of this name sees that the lock was free
        event("worker.stopped", worker=self._identity.name, done=self._done)
        return code

    def _abandon(self) -> int:
        """The database was removed, and with it all that these jobs were for."""
        event("database.gone", logging.ERROR, path=self._database.path)
        now = time.monotonic()
        self._slots.end_all(Outcome.RELEASED, now, 0)
        until = now + _GIVE_UP_AFTER
        while self._slots.running and now < until:
            now = time.monotonic()
            self._slots.reap(now)
            self._slots.advance(now)
            self._wakeup.sleep(_RECOVERY_STEP)
        return EXIT_GONE
