"""One running attempt: from the claim to the ending that is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from queuectl.domain.states import Outcome
from queuectl.execution.identity import stat_of
from queuectl.execution.mark import Mark
from queuectl.execution.output import Output, Written
from queuectl.execution.spawn import how_it_ended, spawn
from queuectl.execution.tree import Termination
from queuectl.storage.claims import Claim, Ending, Process, Usage
from queuectl.worker.handover import RunningAttempt
from queuectl.worker.settling import settle

TRIM_EVERY = 0.25
"""Seconds between two looks at how long an output has become."""
RECORD_AFTER = 0.05
"""Seconds until a process is written down; most short jobs have ended by then, and save a transaction."""


class Exit(NamedTuple):
    """What wait4 said of the main process."""

    status: int
    usage: Usage


class Attempt:
    """A claim with its processes and its output."""

    def __init__(self, claim: Claim, mark: Mark, output: Output, place: str, wall: int, now: float) -> None:
        """`place` is the path for an output that isn't short; `wall` is milliseconds since the epoch, `now` monotonic
        seconds: both of the start."""
        self.claim = claim
        self.mark = mark
        self.output = output
        self.process = Process(0, None, wall)
        self.recorded = False
        self.exit: Exit | None = None
        self.termination: Termination | None = None
        self._place = place
        self._stuck: frozenset[int] = frozenset()
        self._reason: Outcome | None = None
        self._started = now
        self._deadline = now + claim.spec.timeout_ms / 1000 if claim.spec.timeout_ms else None
        self._trim_at = now + TRIM_EVERY
        self._step_at = now

    @classmethod
    def resumed(cls, running: RunningAttempt, mark: Mark, output: Output, place: str) -> Attempt:
        """The attempt as it was before an exec."""
        attempt = cls(running.claim, mark, output, place, running.process.started_at, running.started_at)
        attempt.process = running.process
        attempt.recorded = running.recorded
        attempt._deadline = running.deadline_at
        attempt._reason = running.reason
        if running.status is not None and running.usage is not None:
            attempt.exit = Exit(running.status, running.usage)
        if running.ending:
            attempt.termination = Termination.resumed(mark, running.kill_at)
        return attempt

    def handed_over(self) -> RunningAttempt:
        """All that `resumed` needs."""
        return RunningAttempt(
            self.claim,
            self.process,
            self.recorded,
            self._started,
            self._deadline,
            self.output.fd,
            self.output.placed,
            self._reason,
            self.termination is not None,
            self.termination.kill_at if self.termination else 0.0,
            self.exit.status if self.exit else None,
            self.exit.usage if self.exit else None,
        )

    def run(self, environment: Mapping[bytes, bytes]) -> None:
        """Start the command. Raises CannotRun, NoRoom."""
        pid = spawn(self.claim.spec, self.mark, environment, self.output.fd)
        self.process = self.process._replace(pid=pid)

    def identify(self) -> Process:
        """The process with its start time, to be written down; from now on its output is where people look."""
        stat = stat_of(self.process.pid)
        self.process = self.process._replace(starttime=None if stat is None else stat.starttime)
        self.recorded = True
        try:
            self.output.move_to(self._place)
        except OSError:
            pass  # a full disk, say: it stays in the spool, and is tried again at the end
        return self.process

    def end(self, reason: Outcome | None, now: float, grace: float | None = None) -> None:
        """Begin to end its processes, for `reason`; the first reason counts, but that a cancel comes before all.

        `grace` in seconds replaces the job's own; on a second call it can only shorten the first one's.
        """
        if self._reason is None or reason is Outcome.CANCELLED:
            self._reason = reason
        if self.termination is None:
            wanted = self.claim.spec.kill_grace_ms / 1000 if grace is None else grace
            self.termination = Termination(self.mark, now, wanted)
            self._step_at = now
        elif grace is not None:
            self.termination.hasten(now + grace)
            self._step_at = now

    def advance(self, now: float) -> bool:
        """Do what is due: the timeout, the next step of the end, the trimming. True = all its processes are gone."""
        if self.exit is None and self._deadline is not None and now >= self._deadline and self.termination is None:
            self.end(Outcome.TIMEOUT, now)
        if now >= self._trim_at:
            self.output.trim(self.claim.spec.output_limit)
            self._trim_at = now + TRIM_EVERY
        if self.termination is not None and now >= self._step_at:
            pause = self.termination.step(now)
            if pause is None and self.exit is not None:
                return True
            self._step_at = now + (pause or 0.005)
        return False

    def newly_stuck(self) -> frozenset[int]:
        """Pids that may not be signalled, such as sudo's; each set of them is told once."""
        found = self.termination.unkillable if self.termination else frozenset()
        if found == self._stuck:
            return frozenset()
        self._stuck = found
        return found

    def next_at(self) -> float:
        """When `advance` has something to do, monotonic."""
        due = [self._trim_at]
        if self.termination is not None:
            due.append(self._step_at)
        elif self._deadline is not None:
            due.append(self._deadline)
        if not self.recorded:
            due.append(self._started + RECORD_AFTER)
        return min(due)

    def to_record(self, now: float) -> bool:
        """Whether it has run for long enough to be written down, and isn't."""
        return not self.recorded and self.exit is None and now >= self._started + RECORD_AFTER

    def ending(self, wall: int, excused: Callable[[], bool]) -> Ending:
        """What to write. A failure is given back where `excused` says that the host was to blame: it is asked once the
        output has been cut."""
        written = self.take_output()
        assert self.exit is not None
        code, signum, error = how_it_ended(self.exit.status)
        outcome = self._reason or (Outcome.COMPLETED if code == 0 else Outcome.FAILED)
        if outcome is Outcome.FAILED and excused():
            outcome, error = Outcome.RELEASED, "given back: no room on the disk"
        elif outcome is Outcome.TIMEOUT:
            error = f"timed out after {self.claim.spec.timeout_ms / 1000:g} s"
        elif outcome is Outcome.RELEASED:
            error = "given back: the worker stopped"
        elif outcome is Outcome.CANCELLED:
            error = "cancelled"
        return settle(self.claim, outcome, wall, code)._replace(
            signal=signum,
            error=error,
            process=self.process,
            usage=self.exit.usage,
            output_size=written.size,
            tail=written.tail,
        )

    def take_output(self) -> Written:
        """What the command wrote, cut to its limit; nothing writes any more."""
        try:
            return self.output.finish(self._place, self.claim.spec.output_limit)
        except OSError as error:
            return Written(0, f"queuectl: the output was lost: {error.strerror}\n".encode())
