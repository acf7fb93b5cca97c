"""`queuectl logs`."""

from __future__ import annotations

import sys
import time

import click

from queuectl.cli.command import command
from queuectl.cli.output.attempt_file import AttemptFile
from queuectl.cli.output.moments import Moments
from queuectl.cli.output.raw import Pipe, Sink, Terminal
from queuectl.cli.session import Session
from queuectl.cli.waiting import as_the_job, exit_code
from queuectl.domain.clock import now_ms
from queuectl.domain.job import Attempt
from queuectl.domain.states import ENDED, Outcome
from queuectl.errors import UsageError
from queuectl.queue.library import Queue

_PAUSE = 0.05
"""Seconds between two looks for more: a person reads along."""


@command("logs")
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended, and exit as it did.")
@click.option("--attempt", "number", type=click.IntRange(min=1), metavar="N", help="That execution; else the last.")
@click.option("--tail", "lines", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.pass_obj
def logs(session: Session, id: str, follow: bool, number: int | None, lines: int | None) -> int:  # noqa: A002
    """\b
    Examples:
      queuectl logs b4k
      queuectl logs b4k --follow
      queuectl logs b4k --attempt 1 --tail 100

    Print what a job wrote. To a pipe it goes as the job wrote it; on a terminal it is made safe, and only its colours
    stay. Headers go to the standard error. --follow waits for the start, and follows into retries, unless --attempt
    names one.
    """
    queue = session.queue
    with as_the_job(follow):
        job = queue.get(id)
        printer = _Printer(session, job.id, lines)
        if follow:
            return _follow(queue, job.id, number, printer)
        attempt = _last(queue.attempts(job.id), job.id, number)
        if attempt is None:
            session.note(f"job {job.id} is {job.state}, and has not run yet")
            return 0
        printer.all_of(queue, attempt)
        return 0


def _last(attempts: list[Attempt], job_id: str, number: int | None) -> Attempt | None:
    if number is None:
        return attempts[-1] if attempts else None
    for attempt in attempts:
        if attempt.number == number:
            return attempt
    there = ", ".join(str(attempt.number) for attempt in attempts) or "none"
    raise UsageError(f"job {job_id} has no execution {number}; there are: {there}")


def _follow(queue: Queue, job_id: str, number: int | None, printer: _Printer) -> int:
    waited, after = False, 0
    while True:
        job = queue.get(job_id)
        if number is not None:
            attempt = _last(queue.attempts(job_id), job_id, number)
        else:
            # All those begun since the last one we followed: a short one may have come and gone.
            begun = [each for each in queue.attempts(job_id) if each.number > after]
            attempt = begun[0 if after else -1] if begun else None
        if attempt is not None:
            ended = printer.follow(queue, attempt)
            if number is not None:
                return _attempt_code(ended)
            after = attempt.number
        elif job.state in ENDED:
            return exit_code(job)
        else:
            if not waited and not after:
                printer.session.note(f"job {job_id} is {job.state}: waiting for its start")
                waited = True
            time.sleep(_PAUSE)


def _attempt_code(attempt: Attempt) -> int:
    if attempt.outcome is Outcome.COMPLETED:
        return 0
    return attempt.exit_code or (128 + attempt.signal if attempt.signal else 1)


class _Printer:
    """Prints executions under their headers."""

    def __init__(self, session: Session, job_id: str, lines: int | None) -> None:
        self.session = session
        self._job_id = job_id
        self._lines = lines

    def all_of(self, queue: Queue, attempt: Attempt) -> None:
        """What it wrote so far."""
        sink = self._begin(attempt)
        file = self._open(queue, attempt)
        if file is None:
            self._from_record(attempt, sink)
        else:
            for block in file.read():
                sink.write(block)
            self._say_skipped(file)
            file.close()
        sink.finish()

    def follow(self, queue: Queue, attempt: Attempt) -> Attempt:
        """What it writes, until it has ended; as it ended."""
        sink = self._begin(attempt)
        file: AttemptFile | None = None
        seen: object = None
        while True:
            # Look at the end first: what is read after it is all there is.
            version = queue.database.version()
            if version != seen:
                seen = version
                attempt = next(each for each in queue.attempts(self._job_id) if each.number == attempt.number)
            ended = attempt.finished_at is not None
            file = file or self._open(queue, attempt)
            if file is not None:
                for block in file.drain(attempt.output_size) if ended else file.read():
                    sink.write(block)
            if ended:
                if file is None:
                    self._from_record(attempt, sink)
                else:
                    self._say_skipped(file)
                    file.close()
                sink.finish()
                return attempt
            time.sleep(_PAUSE)

    def _begin(self, attempt: Attempt) -> Sink:
        person = sys.stderr.isatty()
        state = str(attempt.outcome) if attempt.outcome else "running"
        started = Moments(now_ms(), relative=person).show(attempt.started_at)
        self.session.note(f"==> job {self._job_id}, execution {attempt.number}: {state}, started {started} <==")
        return Terminal(self.session.colored(sys.stdout)) if sys.stdout.isatty() else Pipe()

    def _open(self, queue: Queue, attempt: Attempt) -> AttemptFile | None:
        file = AttemptFile.open(queue.output_path(self._job_id, attempt.number))
        if file is not None and self._lines is not None:
            file.to_last_lines(self._lines)
        return file

    def _from_record(self, attempt: Attempt, sink: Sink) -> None:
        """The file is gone: there is the end of it, in the database."""
        if attempt.tail:
            if attempt.output_size and attempt.output_size > len(attempt.tail):
                self.session.note(f"(the file is gone; these are the last {len(attempt.tail)} bytes)")
            kept = attempt.tail.splitlines(keepends=True)
            sink.write(b"".join(kept if self._lines is None else kept[len(kept) - min(self._lines, len(kept)) :]))

    def _say_skipped(self, file: AttemptFile) -> None:
        if file.skipped:
            self.session.note(f"({file.skipped} bytes of the middle were left out: see output_limit)")
