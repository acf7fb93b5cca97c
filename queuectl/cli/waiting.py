"""Waiting for jobs, and ending as they did: for `wait`, `enqueue --wait` and `logs -f`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from queuectl.cli.session import Session
from queuectl.domain.job import Job
from queuectl.domain.states import State
from queuectl.errors import QueuectlError, WaitTimeout

OUR_FAILURE = 125
"""That queuectl failed must look like no exit code of a job, as with timeout(1) and `docker run`."""


@contextmanager
def as_the_job(waits: bool = True) -> Iterator[None]:
    """Where the exit code is a job's: give queuectl's own errors the code that says so."""
    try:
        yield
    except QueuectlError as error:
        if waits and not isinstance(error, WaitTimeout):
            error.exit_code = OUR_FAILURE
        raise


def exit_code(job: Job) -> int:
    """What an ended job's command exited with; 128 + the signal; 1 where it has neither, and yet did not end well."""
    if job.state is State.COMPLETED:
        return 0
    last = job.last
    if last is not None and last.exit_code:
        return last.exit_code
    return 128 + last.signal if last is not None and last.signal else 1


def wait_for_all(session: Session, ids: Sequence[str], timeout: float | None) -> int:
    """Return when all have ended: the exit code of the first that did not end well, else 0.

    Raises:
        WaitTimeout: `timeout` seconds are over.
        NoSuchJob, AmbiguousId: there is no one such job.
    """
    from queuectl.queue.waiting import wait_for

    deadline = None if timeout is None else time.monotonic() + timeout
    code = 0
    for job_id in ids:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        job = wait_for(session.database, job_id, left)
        ended = exit_code(job)
        code = code or ended
        if ended and sys.stderr.isatty():
            reason = job.last.error if job.last and job.last.error else job.reason
            session.note(f"job {job.id} is {job.state}" + (f": {reason}" if reason else ""))
    return code
