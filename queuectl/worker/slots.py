"""The attempts that run in this worker: starting them, reaping them, moving them on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from queuectl.domain.clock import now_ms
from queuectl.domain.states import Outcome
from queuectl.execution import tree
from queuectl.execution.mark import VARIABLE, mark_of
from queuectl.execution.output import Output
from queuectl.execution.spawn import CannotRun, NoRoom, spawn
from queuectl.storage.claims import Claim, Ending, Usage
from queuectl.worker.attempt import Attempt, Exit
from queuectl.worker.settling import settle


class Slots:
    """Numbered places, each with one attempt or none."""

    def __init__(self, size: int, worker_uuid: str, pool: str, outputs: str, environment: Mapping[str, str]) -> None:
        self.size = size
        self.running: dict[int, Attempt] = {}
        """By slot."""
        self._by_pid: dict[int, Attempt] = {}
        self._uuid = worker_uuid
        self._outputs = outputs
        self._environment = {**environment, "QUEUECTL_POOL": pool}

    @property
    def free(self) -> int:
        """How many places have no attempt."""
        return self.size - len(self.running)

    def start(self, claim: Claim, now: float) -> Ending | None:
        """Run the claim in the first free slot. Returns its ending where it couldn't be started at all."""
        slot = next(slot for slot in range(self.size) if slot not in self.running)
        mark = mark_of(self._uuid, claim.job, claim.number)
        wall = now_ms()
        try:
            output = Output.create(self._outputs, claim.id, claim.number)
        except OSError as error:
            return settle(claim, Outcome.RELEASED, wall)._replace(error=f"no file for the output: {error.strerror}")
        try:
            pid = spawn(claim.spec, mark, self._environment_of(claim, slot, mark.text), output.fd)
        except CannotRun as error:
            output.write(f"queuectl: {error}\n")
            written = output.close(claim.spec.output_limit)
            ending = settle(claim, Outcome.FAILED, wall, error.exit_code)
            return ending._replace(error=str(error), output_size=written.size, tail=written.tail)
        except NoRoom as error:
            output.close(claim.spec.output_limit)
            return settle(claim, Outcome.RELEASED, wall)._replace(error=str(error))
        self.running[slot] = self._by_pid[pid] = Attempt(claim, slot, mark, output, pid, wall, now)
        return None

    def _environment_of(self, claim: Claim, slot: int, mark: str) -> dict[str, str]:
        return {
            **self._environment,
            **(claim.spec.env or {}),
            "QUEUECTL_JOB_ID": claim.id,
            "QUEUECTL_ATTEMPT": str(claim.number),
            "QUEUECTL_QUEUE": claim.queue,
            "QUEUECTL_SLOT": str(slot),
            VARIABLE: mark,
        }

    def reap(self, now: float) -> list[Attempt]:
        """Take in all children that have ended; returns the attempts that are over with them.

        An attempt whose main process left others behind isn't over: those are ended first, after success too.
        """
        ended = []
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            attempt = self._by_pid.pop(pid, None)
            if attempt is not None:  # else an orphan that this process adopted
                attempt.exit = Exit(status, Usage(used.ru_maxrss * 1024, used.ru_utime, used.ru_stime))
                ended.append(attempt)
        return [attempt for attempt in ended if self._is_over(attempt, now)]

    def _is_over(self, attempt: Attempt, now: float) -> bool:
        if attempt.termination is not None:
            return False  # its next step finds out
        # This process is the subreaper of all that its jobs start: what is left of a dead main process's tree has
        # been handed to it by the kernel. No stranger among the children, nothing left: one read instead of a look
        # at every process there is.
        if all(pid in self._by_pid for pid in tree.children()) or not tree.members(attempt.mark):
            self._free(attempt)
            return True
        attempt.end(None, now)
        return False

    def advance(self, now: float) -> list[Attempt]:
        """Give each attempt its turn; returns those that are over."""
        over = [attempt for attempt in self.running.values() if attempt.advance(now)]
        for attempt in over:
            self._free(attempt)
        return over

    def _free(self, attempt: Attempt) -> None:
        del self.running[attempt.slot]

    def unrecorded(self, now: float) -> Iterator[Attempt]:
        """Those that ran for long enough to be written down."""
        return (attempt for attempt in self.running.values() if attempt.to_record(now))

    def find(self, job: int, number: int) -> Attempt | None:
        """The attempt of that claim, if it runs here."""
        for attempt in self.running.values():
            if (attempt.claim.job, attempt.claim.number) == (job, number):
                return attempt
        return None

    def end_all(self, reason: Outcome, now: float, grace: float | None = None) -> None:
        """Begin to end everything that runs."""
        for attempt in self.running.values():
            attempt.end(reason, now, grace)
