"""Writing new jobs: all of a batch in one transaction, or none."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from queuectl.domain.intake import generate_id
from queuectl.domain.job import NewJob
from queuectl.errors import DuplicateJob
from queuectl.storage import audit

if TYPE_CHECKING:
    from queuectl.storage.database import Database

_JOB = """
INSERT INTO jobs (id, public_id, queue, priority, state, run_at, max_retries, unique_key, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SPEC = """
INSERT INTO job_specs (
    job_id, command, argv, cwd, env, env_file, stdin, timeout_ms, kill_grace_ms, backoff_base, backoff_max_ms,
    backoff_jitter, no_retry_exit_codes, output_limit, tags, description, enqueued_by
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LOOKED_UP_AT_ONCE = 500


def insert(database: Database, jobs: Sequence[NewJob], now: int) -> list[str]:
    """Write the jobs, on disk when this returns, wake the workers, and return the ids.

    Raises:
        DuplicateJob: one of them is in the queue already, by its id or its unique key, or twice in `jobs`; `index`
            says which. Nothing was written.
        DatabaseError: nothing was written, unless it is DatabaseUnsure: then nobody knows.
    """
    while True:
        ids = [job.id or generate_id() for job in jobs]
        try:
            with database.write(wakes=True):
                add(database, jobs, ids, now)
                audit.note(database, "enqueue", ids, now)
            return ids
        except DuplicateJob as error:
            duplicate = _named(database, jobs, ids) or error
            if jobs[duplicate.index].id is None and jobs[duplicate.index].unique_key is None:
                continue  # two of the random ids met: one in a million among a million jobs
            raise duplicate from None


def add(database: Database, jobs: Sequence[NewJob], ids: Sequence[str], now: int) -> int:
    """Write the jobs, inside a write transaction; returns the row of the first, the others follow it."""
    first = _next_id(database)
    database.change_many(_JOB, _job_rows(jobs, ids, first, now))
    database.change_many(_SPEC, _spec_rows(jobs, first, database.actor))
    return first


def _next_id(database: Database) -> int:
    # Ids are given out here, since executemany returns none; AUTOINCREMENT's own table keeps them from being reused.
    rows = database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
    return int(rows[0][0]) + 1 if rows else 1


def _job_rows(jobs: Sequence[NewJob], ids: Sequence[str], first: int, now: int) -> Iterator[tuple[object, ...]]:
    for number, (job, public_id) in enumerate(zip(jobs, ids, strict=True), first):
        run_at = now if job.run_at is None else job.run_at
        yield (
            number,
            public_id,
            job.queue,
            job.priority,
            job.state.value,
            run_at,
            job.max_retries,
            job.unique_key,
            now,
            now,
        )


def _spec_rows(jobs: Sequence[NewJob], first: int, actor: str) -> Iterator[tuple[object, ...]]:
    for number, job in enumerate(jobs, first):
        spec = job.spec
        yield (
            number,
            spec.command,
            _packed(spec.argv),
            spec.cwd,
            _packed(spec.env),
            spec.env_file,
            spec.stdin,
            spec.timeout_ms,
            spec.kill_grace_ms,
            spec.backoff_base,
            spec.backoff_max_ms,
            spec.backoff_jitter,
            _packed(spec.no_retry_exit_codes),
            spec.output_limit,
            _packed(spec.tags),
            spec.description,
            actor,
        )


def _packed(value: Collection[object] | None) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _named(database: Database, jobs: Sequence[NewJob], ids: Sequence[str]) -> DuplicateJob | None:
    """The error with the job's name in it: the driver's says only which column it was."""
    seen: set[str] = set()
    for index, job in enumerate(jobs):
        for mark in (f"id {job.id!r}" if job.id else "", f"unique_key {job.unique_key!r}" if job.unique_key else ""):
            if mark and mark in seen:
                return DuplicateJob(f"{mark} is there twice", index=index)
            seen.add(mark)
    for start in range(0, len(jobs), _LOOKED_UP_AT_ONCE):
        stop = start + _LOOKED_UP_AT_ONCE
        taken = _taken(database, "public_id", ids[start:stop])
        keys = _taken(database, "unique_key", [job.unique_key for job in jobs[start:stop]])
        for index, job in enumerate(jobs[start:stop], start):
            if ids[index] in taken:
                hint = "leave the id out to have one made, or `queuectl retry` the job that is there"
                return DuplicateJob(f"a job with id {ids[index]!r} is in the queue already", index=index, hint=hint)
            if job.unique_key in keys:
                unended = f"with unique_key {job.unique_key!r} is in the queue and has not ended"
                return DuplicateJob(f"job {keys[job.unique_key]} {unended}", index=index)
    return None


def _taken(database: Database, column: str, values: Sequence[str | None]) -> dict[str, str]:
    """Which of the values are in the column of a job (for the unique key: an unended one), and the jobs' ids."""
    marks = ", ".join("?" * len(values))
    # The condition of the index, word for word: else SQLite doesn't see that it serves.
    unended = "AND state NOT IN ('completed', 'dead', 'cancelled')" if column == "unique_key" else ""
    return dict(
        database.rows(f"SELECT {column}, public_id FROM jobs WHERE {column} IN ({marks}) {unended}", values)  # noqa: S608
    )
