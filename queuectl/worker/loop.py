"""The loop of a worker: one thread, which never waits for anything but its next reason to act."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import NamedTuple

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Pool, Settings
from queuectl.domain.states import Outcome
from queuectl.errors import DatabaseError
from queuectl.pools.presence import Presence, Record
from queuectl.storage import workers
from queuectl.storage.database import Database
from queuectl.worker.backups import Backups
from queuectl.worker.disk import Disk
from queuectl.worker.handover import Handover
from queuectl.worker.hung import DeadMansSwitch
from queuectl.worker.leader import Leader
from queuectl.worker.ledger import Ledger
from queuectl.worker.log import event
from queuectl.worker.notify import Notify
from queuectl.worker.orders import Orders
from queuectl.worker.recovery import Recovery
from queuectl.worker.recycling import Recycling
from queuectl.worker.reload import Reload
from queuectl.worker.signals import Signals
from queuectl.worker.slots import Slots
from queuectl.worker.wakeup import Wakeup

_LOOK_EVERY = 0.5
"""Seconds between looks for what nobody announced."""
_LOOK_EVERY_DRAINING = 0.02
"""The same where what is waited for is that others finish, which nobody announces."""
_BEAT_EVERY = 0.5
_STEP_EVERY = 0.01
"""Seconds between the steps of endings that don't say when they are next due."""
_TROUBLE_PAUSE = 0.1
"""Seconds before a database that couldn't be written is tried again."""
_ABANDONED_AFTER = 10.0
"""Seconds for jobs to be gone where their database is."""

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
        place: Installation,
        settings: Settings,
        pool: Pool,
        identity: Identity,
        database: Database,
        presence: Presence,
        signals: Signals,
        notify: Notify,
        switch: DeadMansSwitch,
        *,
        drain: bool,
        handover: Handover | None,
    ) -> None:
        """`handover` is what the program before an exec left, if there was one."""
        self._identity = identity
        self._database = database
        self._presence = presence
        self._signals = signals
        self._notify = notify
        self._switch = switch
        self._drain = drain
        self._slots = Slots(pool, identity.uuid, place)
        self._ledger = Ledger(
            database, identity.row, pool.queues, self._slots, Disk(place.home, settings.min_free_space)
        )
        self._orders = Orders(self._slots, settings, identity.name, identity.parent, notify)
        self._recovery = Recovery(database, place.locks, place.output, identity.uuid)
        backups = Backups(place, settings, database.path, self._slots)
        self._leader = Leader(database, settings, place.locks, place.output, self._recovery, backups)
        self._reload = Reload(place, pool.name, self._slots)
        self._wakeup = Wakeup(signals, database.lock_path)
        if handover is None:
            # What the former holder of this name left isn't the leader's alone to find: it is dead for sure.
            self._recovery.look(time.monotonic())
        else:
            self._slots.resume(handover.attempts)
            self._orders.state = handover.state
            self._ledger.done = handover.done
        self._reloads = 0 if handover is None else handover.reloads
        self._recycling = Recycling(settings, time.monotonic(), self._ledger.done)
        self._look_at = 0.0
        self._beat = 0
        self._beat_at = 0.0
        self._trouble_until: float | None = None
        begun = "worker.started" if handover is None else "worker.reloaded"
        event(begun, worker=identity.name, pid=os.getpid(), slots=self._slots.size, running=len(self._slots.running))

    def run(self) -> int:
        """Work until there is a reason to end; returns the exit code."""
        self._notify.ready()
        while True:
            now = time.monotonic()
            for number in self._signals.take():
                self._receive(number, now)
            self._orders.work(now)
            self._ledger.take(self._slots.reap(now))
            self._ledger.take(self._slots.advance(now))
            drained = self._serve(now)
            self._reload_if_asked(now)
            self._publish(now)
            if drained or (self._orders.stopping and not self._slots.running and not self._ledger.unwritten):
                return self._leave(EXIT_OK)
            if now >= self._orders.give_up_at and not self._slots.running:
                return self._leave(EXIT_UNWRITTEN)
            if self._database.is_gone():
                return self._abandon()
            if self._wakeup.sleep(max(0.0, self._next_at() - time.monotonic())):
                self._ledger.hear()

    def _receive(self, number: signal.Signals, now: float) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGUSR1:
            self._tell_state()
        self._orders.receive(number, now)
        self._beat_at = 0.0

    def _reload_if_asked(self, now: float) -> None:
        if self._orders.reload or self._recycling.is_due(now, self._ledger.done):
            self._orders.reload = False
            self._reload.ask(now)
        # Results are on disk before the exec; a database in trouble puts it off.
        if self._orders.stopping or self._ledger.unwritten or not self._reload.is_ready(now):
            return
        who = self._identity
        self._notify.reloading()
        self._database.close()
        handover = Handover(
            who.row,
            who.uuid,
            self._presence.instance,
            who.parent,
            who.started_at,
            self._reloads + 1,
            self._ledger.done,
            self._orders.state,
            self._presence.fileno(),
            self._slots.hand_over(),
        )
        with self._switch.over_an_exec():
            self._reload.exec(handover)
        self._notify.ready()

    def _serve(self, now: float) -> bool:
        """All that takes the database; returns whether a drain is over. While the database can't be written nothing
        is claimed, and results are kept."""
        if self._trouble_until is not None and now < self._trouble_until:
            return False
        try:
            if now >= self._look_at:
                self._look_at = now + (_LOOK_EVERY_DRAINING if self._drain else _LOOK_EVERY)
                self._ledger.look_around()
            self._ledger.work(now, claiming=self._orders.claims)
            self._leader.work(now)
            self._recovery.step(now)
            drained = self._drain and not self._slots.running and not self._recovery.busy and self._ledger.is_drained()
        except DatabaseError as error:
            if self._trouble_until is None:
                event("database.trouble", logging.WARNING, error=str(error))
            self._trouble_until = now + _TROUBLE_PAUSE
            return False
        if self._trouble_until is not None:
            self._trouble_until = None
            event("database.well")
        return drained

    def _next_at(self) -> float:
        """When there is a reason to act if nothing comes before, monotonic."""
        if self._trouble_until is not None:
            due = [self._trouble_until]
        else:
            due = [self._look_at, self._leader.next_at, self._ledger.next_at(claiming=self._orders.claims)]
        if self._recovery.busy:
            due.append(time.monotonic() + _STEP_EVERY)
        if self._orders.stop_at is not None:
            due.append(self._orders.stop_at)
        due += [attempt.next_at() for attempt in self._slots.running.values()]
        return min(due)

    def _publish(self, now: float) -> None:
        if now < self._beat_at:
            return
        self._beat_at = now + _BEAT_EVERY
        self._beat += 1
        who = self._identity
        running = len(self._slots.running)
        self._switch.alive()
        self._notify.alive()
        self._notify.status(self._status(running))
        self._presence.publish(
            Record(
                who.uuid,
                os.getpid(),
                self._orders.state,
                running,
                self._ledger.done,
                who.started_at,
                self._beat,
                self._reloads,
                self._reload.refusals,
            )
        )

    def _status(self, running: int) -> str:
        if self._trouble_until is not None:
            return "the database can't be written; results are kept"
        return f"{self._orders.state}: {running}/{self._slots.size} slots, {self._ledger.done} done"

    def _tell_state(self) -> None:
        event(
            "worker.state",
            worker=self._identity.name,
            state=self._orders.state,
            done=self._ledger.done,
            unwritten=len(self._ledger.unwritten),
        )
        for attempt in self._slots.running.values():
            claim = attempt.claim
            event("worker.state", slot=claim.slot, id=claim.id, attempt=claim.number, pid=attempt.process.pid)

    def _leave(self, code: int) -> int:
        self._slots.close()
        try:
            workers.retire(self._database, self._identity.row, now_ms())
        except DatabaseError:
            pass  # the next worker of this name sees that the lock was free
        event("worker.stopped", worker=self._identity.name, done=self._ledger.done)
        return code

    def _abandon(self) -> int:
        """The database was removed, and with it all that these jobs were for."""
        event("database.gone", logging.ERROR, path=self._database.path)
        now = time.monotonic()
        self._slots.end_all(Outcome.RELEASED, now, 0)
        until = now + _ABANDONED_AFTER
        while self._slots.running and now < until:
            now = time.monotonic()
            self._switch.alive()
            for attempt in [*self._slots.reap(now), *self._slots.advance(now)]:
                self._slots.end(attempt)
            self._wakeup.sleep(_STEP_EVERY)
        return EXIT_GONE
