"""Doing a thing to very many jobs: in transactions short enough not to keep an enqueue waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queuectl.domain.clock import now_ms
from queuectl.errors import DuplicateJob
from queuectl.execution.place import forget_outputs
from queuectl.queue.library import Queue
from queuectl.storage import changes, queries

_AT_ONCE = 500


def remove_all(queue: Queue, which: queries.Filter) -> list[str]:
    """Forget the jobs that the filter finds, and that one may change, with their output, but for those that run; the
    ids of those forgotten."""
    removed: list[str] = []
    for part in _parts(queries.found(queue.database, queue.changeable(which))):
        names = dict(part)
        gone = [names[row] for row in changes.remove(queue.database, names)]
        for job_id in gone:
            forget_outputs(queue.installation.output, job_id)
        removed += gone
    return removed


def retry_all(queue: Queue, which: queries.Filter, *, keep_attempts: bool = False) -> tuple[int, list[str]]:
    """Run the ended jobs that the filter finds, and that one may change, again. How many those are, and the ids of
    those that can't, since another unended job has their unique key by now."""
    done, refused = 0, []
    for part in _parts(queries.found(queue.database, queue.changeable(which))):
        try:
            done += changes.retry(queue.database, [row for row, _ in part], now_ms(), keep_attempts=keep_attempts)
        except DuplicateJob:
            # Nothing of the part was changed: one by one, to find out which.
            for row, job_id in part:
                try:
                    done += changes.retry(queue.database, [row], now_ms(), keep_attempts=keep_attempts)
                except DuplicateJob:
                    refused.append(job_id)
    return done, refused


def _parts(found: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]
