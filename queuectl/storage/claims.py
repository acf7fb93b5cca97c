"""The hot path: claim, finish, release. Named SQL, each fenced by the claim that it ends.

A write that ends an attempt carries the worker and the claim's number, and acts only if one row changed: a worker
that was taken for dead, and comes back, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from queuectl.domain.job import Spec
from queuectl.domain.states import Outcome, State

if TYPE_CHECKING:
    from queuectl.storage.connection import Row
    from queuectl.storage.database import Database


class Claim(NamedTuple):
    """A job that is this worker's to run."""

    job: int
    """The row's id."""
    id: str
    queue: str
    number: int
    """Of the attempt: counts every claim of the job, and is the fence."""
    attempts: int
    """Executions so far, this one included, less those given back."""
    max_retries: int
    slot: int
    """Of the worker that runs it."""
    spec: Spec


class Usage(NamedTuple):
    """What wait4 tells of an ended process: bytes and seconds."""

    max_rss: int
    cpu_user: float
    cpu_system: float


class Process(NamedTuple):
    """The main process of an attempt."""

    pid: int
    starttime: int | None
    """The kernel's ticks since boot."""
    started_at: int


class Ending(NamedTuple):
    """How an attempt ended, and what becomes of the job."""

    job: int
    """The row's id."""
    id: str
    number: int
    state: State
    """Of the job from now on, unless somebody cancelled it meanwhile."""
    outcome: Outcome
    finished_at: int
    run_at: int | None = None
    """When it is to run again, where `state` is failed."""
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    process: Process | None = None
    usage: Usage | None = None
    output_size: int | None = None
    tail: bytes | None = None


_PROMOTE = """
UPDATE jobs SET state = 'pending', updated_at = ? WHERE id IN (
    SELECT id FROM jobs WHERE state IN ('scheduled', 'failed') AND run_at <= ? ORDER BY run_at, id LIMIT ?
)
"""
_PROMOTED_AT_ONCE = 500
_NEXT_DUE = "SELECT min(run_at) FROM jobs WHERE state IN ('scheduled', 'failed')"
_QUEUES = "SELECT queue FROM job_counts WHERE state = 'pending' AND n > 0"
_READY = """
SELECT * FROM (
    SELECT id, priority, run_at FROM jobs WHERE state = 'pending' AND queue = ?
    ORDER BY priority DESC, run_at, id LIMIT ?
)
"""
_CLAIM = """
UPDATE jobs SET state = 'processing', worker_id = ?, claim_seq = claim_seq + 1, attempts = attempts + 1,
    reason = NULL, updated_at = ?
WHERE id IN ({ids})
RETURNING id, public_id, queue, claim_seq, attempts, max_retries
"""
_SPECS = """
SELECT job_id, command, argv, cwd, env, env_file, stdin, timeout_ms, kill_grace_ms, backoff_base, backoff_max_ms,
    backoff_jitter, no_retry_exit_codes, output_limit, tags, description
FROM job_specs WHERE job_id IN ({ids})
"""
_QUEUES_AT_ONCE = 100
"""SQLite takes no more than 500 SELECTs in one."""
_ATTEMPT = "INSERT INTO attempts (job_id, number, worker_id, slot, started_at) VALUES (?, ?, ?, ?, ?)"
_STARTED = """
UPDATE attempts SET pid = ?, proc_starttime = ?, started_at = ?
WHERE job_id = ? AND number = ? AND outcome IS NULL
"""
_FINISH = """
UPDATE jobs SET
    state = CASE WHEN cancel_requested_at IS NULL THEN ? ELSE 'cancelled' END,
    finished_at = CASE WHEN cancel_requested_at IS NULL THEN ? ELSE ? END,
    reason = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE reason END,
    run_at = coalesce(?, run_at), worker_id = NULL, updated_at = ?
WHERE id = ? AND state = 'processing' AND worker_id = ? AND claim_seq = ?
"""
_RELEASE = """
UPDATE jobs SET
    state = CASE WHEN cancel_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END,
    finished_at = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE ? END,
    attempts = attempts - 1, worker_id = NULL, updated_at = ?
WHERE id = ? AND state = 'processing' AND worker_id = ? AND claim_seq = ?
"""
_END_ATTEMPT = """
UPDATE attempts SET finished_at = ?, outcome = ?, exit_code = ?, signal = ?, error = ?,
    pid = coalesce(?, pid), proc_starttime = coalesce(?, proc_starttime), started_at = coalesce(?, started_at),
    max_rss = ?, cpu_user = ?, cpu_system = ?, output_size = ?, tail = ?
WHERE job_id = ? AND number = ?
"""


def has_ready(database: Database, queues: tuple[str, ...] | None, now: int) -> bool:
    """Whether a claim might find something: a look without the write lock, for the workers that all woke up."""
    if any(queues is None or queue in queues for (queue,) in database.rows(_QUEUES)):
        return True
    due = next_due(database)
    return due is not None and due <= now


def unfinished(database: Database, queues: tuple[str, ...] | None) -> int:
    """How many jobs of the queues are pending, processing or failed: what a drain waits for."""
    counts = database.rows("SELECT queue, n FROM job_counts WHERE state IN ('pending', 'processing', 'failed')")
    return sum(n for queue, n in counts if queues is None or queue in queues)


def next_due(database: Database) -> int | None:
    """When the first of the jobs that wait for their time is due; None where none waits."""
    return database.rows(_NEXT_DUE)[0][0]  # type: ignore[no-any-return]


def claim(
    database: Database, worker: int, queues: tuple[str, ...] | None, slots: Sequence[int], now: int
) -> list[Claim]:
    """Take a ready job for each of the slots, the best first, and open their attempts; inside a write transaction.

    What is due is promoted first. A queue at a time: the ready index gives each one's best without sorting.
    """
    database.change(_PROMOTE, (now, now, _PROMOTED_AT_ONCE))
    found = [queue for (queue,) in database.rows(_QUEUES) if queues is None or queue in queues]
    order = _ready(database, found, len(slots))
    if not order:
        return []
    ids = ", ".join("?" * len(order))
    claimed = {row[0]: row for row in database.rows(_CLAIM.format(ids=ids), [worker, now, *order])}
    specs = {row[0]: spec_of(row[1:]) for row in database.rows(_SPECS.format(ids=ids), order)}
    # RETURNING comes in no order: the one that was asked for is `order`.
    placed = list(zip(order, slots, strict=False))
    database.change_many(_ATTEMPT, [(job, claimed[job][3], worker, slot, now) for job, slot in placed])
    return [Claim._make((*claimed[job], slot, specs[job])) for job, slot in placed]


def _ready(database: Database, queues: Sequence[str], wanted: int) -> list[int]:
    """The rows of the best `wanted` pending jobs of the queues, the best first."""
    ready: list[Row] = []
    for start in range(0, len(queues), _QUEUES_AT_ONCE):
        part = queues[start : start + _QUEUES_AT_ONCE]
        select = " UNION ALL ".join([_READY] * len(part)) + " ORDER BY priority DESC, run_at, id LIMIT ?"
        parameters = [value for queue in part for value in (queue, wanted)]
        ready += database.rows(select, [*parameters, wanted])
    ready.sort(key=lambda row: (-row[1], row[2], row[0]))
    return [row[0] for row in ready[:wanted]]


def finish(database: Database, worker: int, endings: Sequence[Ending]) -> list[Ending]:
    """Write how attempts ended; inside a write transaction. Returns those that the fence refused.

    A job that was to be cancelled is cancelled, whatever its processes exited with.
    """
    refused = []
    for ending in endings:
        now = ending.finished_at
        fence = (ending.job, worker, ending.number)
        if ending.outcome is Outcome.RELEASED:
            changed = database.change(_RELEASE, (now, now, *fence))
        else:
            finished_at = None if ending.state is State.FAILED else now
            changed = database.change(_FINISH, (ending.state.value, finished_at, now, ending.run_at, now, *fence))
        if changed != 1:
            refused.append(ending)
            continue
        pid, starttime, started_at = ending.process or (None, None, None)
        max_rss, user, system = ending.usage or (None, None, None)
        database.change(
            _END_ATTEMPT,
            (
                now,
                ending.outcome.value,
                ending.exit_code,
                ending.signal,
                ending.error,
                pid,
                starttime,
                started_at,
                max_rss,
                user,
                system,
                ending.output_size,
                ending.tail,
                ending.job,
                ending.number,
            ),
        )
    return refused


def record_started(database: Database, started: Sequence[tuple[int, int, Process]]) -> None:
    """Note the processes of (job, number)s that run; inside a write transaction, which needn't be synced."""
    database.change_many(
        _STARTED,
        [(process.pid, process.starttime, process.started_at, job, number) for job, number, process in started],
    )


def note(database: Database, worker: int, job: int, number: int, reason: str) -> None:
    """Say of a running job why it doesn't end; inside a write transaction. Whoever cancelled it has said more."""
    database.change(
        "UPDATE jobs SET reason = ? WHERE id = ? AND state = 'processing' AND worker_id = ? AND claim_seq = ? "
        "AND cancel_requested_at IS NULL",
        (reason, job, worker, number),
    )


def cancel_requests(database: Database, worker: int) -> list[tuple[int, int]]:
    """The (job, number)s that this worker runs and somebody cancelled."""
    return [
        (job, number)
        for job, number in database.rows(
            "SELECT id, claim_seq FROM jobs "
            "WHERE state = 'processing' AND worker_id = ? AND cancel_requested_at IS NOT NULL",
            (worker,),
        )
    ]


def spec_of(row: Row) -> Spec:
    """A Spec from the columns of job_specs, in the order of Spec's fields."""
    command, argv, cwd, env, file, stdin, timeout, grace, base, longest, jitter, codes, limit, tags, description = row
    return Spec(
        command=command,
        argv=tuple(json.loads(argv)) if argv else None,
        cwd=cwd,
        env=json.loads(env) if env else None,
        env_file=file,
        stdin=stdin,
        timeout_ms=timeout,
        kill_grace_ms=grace,
        backoff_base=base,
        backoff_max_ms=longest,
        backoff_jitter=jitter,
        no_retry_exit_codes=tuple(json.loads(codes)) if codes else (),
        output_limit=limit,
        tags=tuple(json.loads(tags)) if tags else (),
        description=description,
    )
