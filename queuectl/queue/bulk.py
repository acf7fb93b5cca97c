"""Doing a thing to all jobs that a filter finds, and that one may change: in transactions short enough not to keep an
enqueue waiting. What a job's state doesn't allow by then isn't done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from queuectl.domain.clock import now_ms
from queuectl.errors import DuplicateJob
from queuectl.execution.place import forget_outputs
from queuectl.queue.library import Queue
from queuectl.storage import changes, queries

_AT_ONCE = 500


def cancel_all(queue: Queue, which: queries.Filter, reason: str) -> list[str]:
    """Cancel the jobs; the ids of those that were, or whose workers were asked to."""
    return _all(queue, which, lambda rows: changes.cancel(queue.database, rows, reason, now_ms()))


def hold_all(queue: Queue, which: queries.Filter, reason: str) -> list[str]:
    """Keep the jobs from running until they are released; the ids of those held."""
    return _all(queue, which, lambda rows: changes.hold(queue.database, rows, reason, now_ms()))


def release_all(queue: Queue, which: queries.Filter) -> list[str]:
    """Let held jobs go; their ids."""
    return _all(queue, which, lambda rows: changes.unhold(queue.database, rows, now_ms()))


def remove_all(queue: Queue, which: queries.Filter) -> list[str]:
    """Forget the jobs, with their output, but for those that run; the ids of those forgotten."""

    def remove(rows: Sequence[int]) -> list[str]:
        gone = changes.remove(queue.database, rows, now_ms())
        for job_id in gone:
            forget_outputs(queue.installation.output, job_id)
        return gone

    return _all(queue, which, remove)


def retry_all(queue: Queue, which: queries.Filter, *, keep_attempts: bool = False) -> tuple[list[str], list[str]]:
    """Run ended jobs again. The ids of those, and of those that can't, since another unended job has their unique key
    by now."""
    done: list[str] = []
    refused: list[str] = []
    for part in _parts(queue, which):
        try:
            done += changes.retry(queue.database, list(part), now_ms(), keep_attempts=keep_attempts)
        except DuplicateJob:
            # Nothing of the part was changed: one by one, to find out which.
            for row, job_id in part.items():
                try:
                    done += changes.retry(queue.database, [row], now_ms(), keep_attempts=keep_attempts)
                except DuplicateJob:
                    refused.append(job_id)
    return done, refused


def _all(queue: Queue, which: queries.Filter, change: Callable[[Sequence[int]], list[str]]) -> list[str]:
    return [job_id for part in _parts(queue, which) for job_id in change(list(part))]


def _parts(queue: Queue, which: queries.Filter) -> Iterator[dict[int, str]]:
    """Rows and ids."""
    found = queries.found(queue.database, queue.changeable(which))
    for start in range(0, len(found), _AT_ONCE):
        yield dict(found[start : start + _AT_ONCE])
