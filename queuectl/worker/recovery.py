"""Ending the attempts of workers that are gone: kill what is left of them, then requeue the jobs.

A job runs again only when every process of its former attempt is proven dead. Two who recover the same attempt do no
harm: both kill the same processes, and the fence lets one of them write.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from queuectl.domain.clock import now_ms
from queuectl.domain.states import Outcome
from queuectl.execution.identity import boot_id
from queuectl.execution.mark import mark_of
from queuectl.execution.output import salvage
from queuectl.execution.place import forget_spool
from queuectl.execution.tree import Termination
from queuectl.pools.presence import sight
from queuectl.storage import claims, workers
from queuectl.storage.database import Database
from queuectl.storage.workers import OpenAttempt, WorkerStart
from queuectl.worker.log import event
from queuectl.worker.settling import settle
from queuectl.worker.stuck import tell_of_stuck

_GRACE = 2.0
"""Seconds between TERM and KILL for what outlived its worker, if the job's own kill_grace isn't shorter: nobody is
there to take its exit code, and the job waits to run again."""


class _Case(NamedTuple):
    """An attempt being recovered."""

    start: WorkerStart
    attempt: OpenAttempt
    termination: Termination


class Recovery:
    """The attempts of dead workers that this process is ending, in steps that don't wait."""

    def __init__(self, database: Database, locks: str, outputs: str, own_uuid: str, *, give_back: bool = False) -> None:
        """`own_uuid` is the one whose attempts are never touched. `give_back` doesn't count the attempts: whoever
        ended the workers meant to."""
        self._database = database
        self._locks = locks
        self._outputs = outputs
        self._own = own_uuid
        self._give_back = give_back
        self._boot = boot_id()
        self._cases: dict[tuple[int, int], _Case] = {}
        self._idle: list[WorkerStart] = []
        """Those that were killed when they had nothing to do."""
        self._told: set[str] = set()
        """Whose end the log has."""

    @property
    def busy(self) -> bool:
        """Whether there is something to `step`."""
        return bool(self._cases or self._idle)

    def look(self, now: float) -> None:
        """Find workers that are gone, and begin to end what they left. Raises DatabaseError."""
        for start in workers.unsettled(self._database):
            if start.uuid == self._own or self._is_alive(start):
                continue
            self._tell(start)
            attempts = workers.open_attempts(self._database, start.row)
            if not attempts and start not in self._idle:
                self._idle.append(start)
            for attempt in attempts:
                key = (attempt.claim.job, attempt.claim.number)
                if key not in self._cases:
                    self._cases[key] = self._begin(start, attempt, now)

    def _is_alive(self, start: WorkerStart) -> bool:
        pool, _, instance = start.name.rpartition("-")
        seen = sight(self._locks, pool, int(instance))
        if seen is None or not seen.held:
            return False
        # Held by a successor of the same name? One that hasn't said its uuid yet will have at the next look.
        return seen.record is None or seen.record.uuid == start.uuid

    def _tell(self, start: WorkerStart) -> None:
        # It does more than tell: supervisord doesn't hear that a child has died, and sleeps on for up to two seconds;
        # a line in the log of any worker wakes it.
        if start.uuid not in self._told and not self._give_back:
            self._told.add(start.uuid)
            event("worker.died", logging.WARNING, worker=start.name, pid=start.pid)

    def _begin(self, start: WorkerStart, attempt: OpenAttempt, now: float) -> _Case:
        claim = attempt.claim
        grace = min(_GRACE, claim.spec.kill_grace_ms / 1000)
        return _Case(start, attempt, Termination(mark_of(start.uuid, claim.job, claim.number), now, grace))

    def step(self, now: float) -> None:
        """Move the endings on, and write those that are done. Raises DatabaseError: then they are done again."""
        over = [(key, case) for key, case in self._cases.items() if self._is_over(case, now)]
        for key, case in over:
            self._write(case)
            del self._cases[key]
        while self._idle:
            self._bury(self._idle[-1])
            self._idle.pop()

    def _is_over(self, case: _Case, now: float) -> bool:
        before = case.termination.unkillable
        over = case.termination.step(now) is None
        stuck = case.termination.unkillable - before
        if stuck:
            tell_of_stuck(self._database, case.start.row, case.attempt.claim, stuck)
        return over

    def _write(self, case: _Case) -> None:
        start, claim = case.start, case.attempt.claim
        rebooted = start.boot_id != self._boot
        outcome = Outcome.RELEASED if rebooted or self._give_back else Outcome.CRASHED
        limit = claim.spec.output_limit
        written = salvage(self._outputs, claim.id, claim.number, start.uuid, claim.slot, limit)
        if rebooted:
            error = "given back: the machine was started anew"
        elif self._give_back:
            error = "given back: the worker was stopped"
        else:
            error = f"its worker {start.name} (pid {start.pid}) died"
        ending = settle(claim, outcome, now_ms())._replace(error=error, output_size=written.size, tail=written.tail)
        with self._database.write(wakes=True):
            refused = claims.finish(self._database, start.row, [ending])
        if not refused:
            event("job.recovered", id=claim.id, attempt=claim.number, worker=start.name, outcome=outcome)
        if not workers.open_attempts(self._database, start.row):
            self._bury(start)

    def _bury(self, start: WorkerStart) -> None:
        # The spool first: whoever is killed in between leaves the start to be found again.
        forget_spool(self._outputs, start.uuid)
        workers.retire(self._database, start.row, now_ms())
        self._told.discard(start.uuid)
