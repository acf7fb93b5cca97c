"""The attempts that run in this worker: starting them, reaping them, moving them on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Pool
from queuectl.domain.states import Outcome
from queuectl.execution import tree
from queuectl.execution.env_file import read_env_file
from queuectl.execution.environment import inherited
from queuectl.execution.mark import VARIABLE, Mark, mark_of
from queuectl.execution.output import Output
from queuectl.execution.place import forget_spool, output_path
from queuectl.execution.spawn import CannotRun, NoRoom
from queuectl.storage.claims import Claim, Ending, Usage
from queuectl.worker.attempt import Attempt, Exit
from queuectl.worker.handover import RunningAttempt
from queuectl.worker.settling import settle


class Slots:
    """Numbered places, each with one attempt or none."""

    def __init__(self, pool: Pool, worker_uuid: str, place: Installation) -> None:
        self.size = pool.concurrency
        self.running: dict[int, Attempt] = {}
        """By slot."""
        self._by_pid: dict[int, Attempt] = {}
        self._exits: dict[int, int | None] = {}
        """The statuses of children that are no jobs, but expected; None while they run."""
        self._spools: dict[int, Output] = {}
        """The files of the free slots."""
        self._uuid = worker_uuid
        self._outputs = place.output
        # Encoded once: to encode forty variables for each job takes longer than to reap it.
        given = _environment(pool, place)
        self._environment = {os.fsencode(name): os.fsencode(value) for name, value in given.items()}

    @property
    def free(self) -> int:
        """How many places have no attempt."""
        return max(0, self.size - len(self.running))

    def next_free(self, count: int) -> list[int]:
        """The first `count` of the free slots."""
        return [slot for slot in range(self.size) if slot not in self.running][:count]

    def start(self, claim: Claim, now: float) -> Ending | None:
        """Run the claim in its slot. Returns its ending where it couldn't be started at all."""
        mark = mark_of(self._uuid, claim.job, claim.number)
        wall = now_ms()
        try:
            output = self._spools.pop(claim.slot, None) or Output.create(self._outputs, self._uuid, claim.slot)
        except OSError as error:
            return settle(claim, Outcome.RELEASED, wall)._replace(error=f"no file for the output: {error.strerror}")
        attempt = Attempt(claim, mark, output, output_path(self._outputs, claim.id, claim.number), wall, now)
        try:
            attempt.run(self._environment_of(claim, mark))
        except CannotRun as error:
            output.write(f"queuectl: {error}\n")
            written = attempt.take_output()
            self._keep(attempt)
            ending = settle(claim, Outcome.FAILED, wall, error.exit_code)
            return ending._replace(error=str(error), output_size=written.size, tail=written.tail)
        except NoRoom as error:
            self._keep(attempt)
            return settle(claim, Outcome.RELEASED, wall)._replace(error=str(error))
        self.running[claim.slot] = self._by_pid[attempt.process.pid] = attempt
        return None

    def _environment_of(self, claim: Claim, mark: Mark) -> dict[bytes, bytes]:
        spec = claim.spec
        filed = read_env_file(spec.env_file) if spec.env_file else {}
        own = {
            **(spec.env or {}),
            "QUEUECTL_JOB_ID": claim.id,
            "QUEUECTL_ATTEMPT": str(claim.number),
            "QUEUECTL_QUEUE": claim.queue,
            "QUEUECTL_SLOT": str(claim.slot),
            VARIABLE: mark.text,
        }
        return self._environment | filed | {name.encode(): value.encode() for name, value in own.items()}

    def _keep(self, attempt: Attempt) -> None:
        """Keep the attempt's file for the slot's next one, unless it was moved to its place."""
        if attempt.output.placed:
            attempt.output.close()
        else:
            self._spools[attempt.claim.slot] = attempt.output

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
            if pid in self._exits:
                self._exits[pid] = status
            elif attempt is not None:  # else an orphan that this process adopted
                attempt.exit = Exit(status, Usage(used.ru_maxrss * 1024, used.ru_utime, used.ru_stime))
                ended.append(attempt)
        return [attempt for attempt in ended if self._is_over(attempt, now)]

    def expect(self, pid: int) -> None:
        """Keep the exit status of a child that is no job, for `exit_of`."""
        self._exits[pid] = None

    def exit_of(self, pid: int) -> int | None:
        """The status of an expected child that has ended, once; None while it runs."""
        status = self._exits[pid]
        if status is not None:
            del self._exits[pid]
        return status

    def disown(self, pid: int) -> None:
        """Care no more how an expected child ends; its pid may be a job's one day."""
        self._exits.pop(pid, None)

    def _is_over(self, attempt: Attempt, now: float) -> bool:
        if attempt.termination is not None:
            return False  # its next step finds out
        # This process is the subreaper of all that its jobs start: what is left of a dead main process's tree has
        # been handed to it by the kernel. No stranger among the children, nothing left: one read instead of a look
        # at every process there is.
        if all(pid in self._by_pid for pid in tree.children()) or not tree.members(attempt.mark):
            return True
        attempt.end(None, now)
        return False

    def advance(self, now: float) -> list[Attempt]:
        """Give each attempt its turn; returns those that are over."""
        return [attempt for attempt in self.running.values() if attempt.advance(now)]

    def end(self, attempt: Attempt, excused: Callable[[], bool] = lambda: False) -> Ending:
        """Free the slot of an attempt that is over; returns what to write of it, as `Attempt.ending` does."""
        del self.running[attempt.claim.slot]
        ending = attempt.ending(now_ms(), excused)
        self._keep(attempt)
        return ending

    def hand_over(self) -> tuple[RunningAttempt, ...]:
        """What runs, for the program after an exec."""
        return tuple(attempt.handed_over() for attempt in self.running.values())

    def resume(self, attempts: Iterable[RunningAttempt]) -> None:
        """Go on with what ran before an exec; a slot may have a number that a smaller pool no longer gives out."""
        for each in attempts:
            claim = each.claim
            place = output_path(self._outputs, claim.id, claim.number)
            output = Output.inherited(
                each.output, self._outputs, self._uuid, claim.slot, place if each.placed else None
            )
            mark = mark_of(self._uuid, claim.job, claim.number)
            attempt = self.running[claim.slot] = Attempt.resumed(each, mark, output, place)
            if attempt.exit is None:
                self._by_pid[attempt.process.pid] = attempt

    def close(self) -> None:
        """Remove the spool; nothing runs any more."""
        for output in self._spools.values():
            output.close()
        self._spools.clear()
        forget_spool(self._outputs, self._uuid)

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


def _environment(pool: Pool, place: Installation) -> dict[str, str]:
    """What all jobs get: the service's, the pool's, and where to enqueue more."""
    environment = {**inherited(os.environ), **pool.env, "QUEUECTL_HOME": place.home, "QUEUECTL_POOL": pool.name}
    if place.explicit_config:
        environment["QUEUECTL_CONFIG"] = place.config_file
    return environment
