"""Writing jobs that have a past: those of another queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from queuectl.domain.job import MAX_TAIL, NewJob
from queuectl.domain.states import ENDED, Outcome, State
from queuectl.errors import DuplicateJob
from queuectl.storage import audit, enqueue

if TYPE_CHECKING:
    from queuectl.storage.database import Database

_PAST = """
UPDATE jobs SET state = ?, attempts = ?, claim_seq = ?, created_at = ?, updated_at = ?, finished_at = ? WHERE id = ?
"""
_ATTEMPT = """
INSERT INTO attempts (
    job_id, number, worker_id, slot, started_at, finished_at, outcome, exit_code, error, output_size, tail
) VALUES (?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?)
"""
_LOOKED_UP_AT_ONCE = 500


class Past(NamedTuple):
    """How the last execution of an imported job ended."""

    number: int
    at: int
    """Milliseconds since the epoch."""
    outcome: Outcome
    error: str | None
    output: bytes


class Imported(NamedTuple):
    """A job with its past. Times are milliseconds since the epoch."""

    id: str
    job: NewJob
    state: State
    attempts: int
    created_at: int
    updated_at: int
    past: Past | None


def insert(database: Database, jobs: Sequence[Imported], now: int) -> list[str]:
    """Write those that aren't there yet, all in one transaction; returns their ids.

    Raises:
        DuplicateJob: an id is taken by another job; `index` says whose. Nothing was written.
        DatabaseError: nothing was written.
    """
    with database.write(wakes=True):
        there = dict(_there(database, [each.id for each in jobs]))
        new: list[Imported] = []
        for index, each in enumerate(jobs):
            if each.id not in there:
                new.append(each)
            elif there[each.id] != (each.job.spec.command, each.created_at):
                raise DuplicateJob(f"another job with id {each.id!r} is in the queue already", index=index)
        first = enqueue.add(database, [each.job for each in new], [each.id for each in new], now)
        database.change_many(_PAST, [_past(each, row, now) for row, each in enumerate(new, first)])
        attempts = [(row, each.past) for row, each in enumerate(new, first) if each.past]
        database.change_many(_ATTEMPT, [_attempt(row, past) for row, past in attempts])
        brought = [each.id for each in new]
        audit.note(database, "import", brought, now)
    return brought


def _past(each: Imported, row: int, now: int) -> tuple[object, ...]:
    # From now on, not from when it ended: else what is older than the retention would be forgotten at once.
    finished_at = now if each.state in ENDED else None
    number = each.past.number if each.past else 0
    return each.state.value, each.attempts, number, each.created_at, each.updated_at, finished_at, row


def _attempt(row: int, past: Past) -> tuple[object, ...]:
    exit_code = 0 if past.outcome is Outcome.COMPLETED else None
    output = past.output
    return (
        *(row, past.number, past.at, past.at, past.outcome.value, exit_code, past.error),
        *(len(output), output[-MAX_TAIL:]),
    )


def _there(database: Database, ids: Sequence[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """What tells a job from another of the same id: its command, and when it was created."""
    for start in range(0, len(ids), _LOOKED_UP_AT_ONCE):
        part = ids[start : start + _LOOKED_UP_AT_ONCE]
        marks = ", ".join("?" * len(part))
        for public_id, command, created_at in database.rows(
            "SELECT public_id, command, created_at FROM jobs JOIN job_specs ON job_id = jobs.id "  # noqa: S608
            f"WHERE public_id IN ({marks})",
            part,
        ):
            yield public_id, (command, created_at)
