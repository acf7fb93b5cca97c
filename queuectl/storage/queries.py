"""What the screens ask: a job, a list of jobs, counts. All by the models; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, NamedTuple

from queuectl.domain.job import Attempt, Job
from queuectl.domain.states import Outcome, State
from queuectl.errors import AmbiguousId, NoSuchJob
from queuectl.storage.claims import spec_of
from queuectl.storage.models import AttemptRow, CountRow, JobRow, SpecRow, WorkerRow
from queuectl.storage.trail import done_by

if TYPE_CHECKING:
    from peewee import Expression, Function, Select

    from queuectl.storage.connection import Row
    from queuectl.storage.database import Database

_JOB = (
    JobRow.public_id,
    JobRow.queue,
    JobRow.priority,
    JobRow.state,
    JobRow.attempts,
    JobRow.max_retries,
    JobRow.run_at,
    JobRow.created_at,
    JobRow.updated_at,
    JobRow.finished_at,
    JobRow.cancel_requested_at,
    JobRow.unique_key,
    JobRow.reason,
    SpecRow.enqueued_by,
)
_SPEC = (
    SpecRow.command,
    SpecRow.argv,
    SpecRow.cwd,
    SpecRow.env,
    SpecRow.env_file,
    SpecRow.stdin,
    SpecRow.timeout_ms,
    SpecRow.kill_grace_ms,
    SpecRow.backoff_base,
    SpecRow.backoff_max_ms,
    SpecRow.backoff_jitter,
    SpecRow.no_retry_exit_codes,
    SpecRow.output_limit,
    SpecRow.tags,
    SpecRow.description,
)
_ATTEMPT = (
    AttemptRow.number,
    WorkerRow.name,
    WorkerRow.host,
    AttemptRow.pid,
    AttemptRow.started_at,
    AttemptRow.finished_at,
    AttemptRow.outcome,
    AttemptRow.exit_code,
    AttemptRow.signal,
    AttemptRow.error,
    AttemptRow.max_rss,
    AttemptRow.cpu_user,
    AttemptRow.cpu_system,
    AttemptRow.output_size,
    AttemptRow.tail,
)
_PAGE = 500


class Filter(NamedTuple):
    """Which jobs; what is left out doesn't matter."""

    states: tuple[State, ...] = ()
    queue: str | None = None
    tags: tuple[str, ...] = ()
    """All of them."""
    search: str | None = None
    """A part of the id, the command or the description."""
    since: int | None = None
    """Created then or later, in milliseconds since the epoch."""
    by: str | None = None
    """Enqueued by that person, through sudo or not."""


class Failure(NamedTuple):
    """How often jobs ended with an error."""

    error: str
    times: int


class DeadSummary(NamedTuple):
    """The DLQ in figures. Times are milliseconds since the epoch."""

    total: int
    mean_attempts: float
    oldest: int | None
    newest: int | None
    errors: tuple[Failure, ...]
    """The most frequent first."""


def resolve(database: Database, id_or_prefix: str) -> tuple[int, str]:
    """The row and the id of the job with that id, or whose id alone begins so.

    Raises:
        NoSuchJob: none does.
        AmbiguousId: several do.
    """
    exact = database.select(JobRow.select(JobRow.id, JobRow.public_id).where(JobRow.public_id == id_or_prefix))
    if exact:
        return exact[0]
    # A range, not LIKE: it uses the index, and no letter in it is a wildcard.
    begins = (JobRow.public_id >= id_or_prefix) & (JobRow.public_id < id_or_prefix + "\U0010ffff")
    found = (
        database.select(JobRow.select(JobRow.id, JobRow.public_id).where(begins).order_by(JobRow.public_id).limit(4))
        if id_or_prefix
        else []
    )
    if not found:
        raise _no_such(id_or_prefix)
    if len(found) > 1:
        names = ", ".join(row[1] for row in found[:3]) + (", …" if len(found) > 3 else "")
        raise AmbiguousId(f"several jobs' ids begin with {id_or_prefix!r}: {names}", hint="type more of it")
    return found[0]


def _no_such(id_or_prefix: str) -> NoSuchJob:
    return NoSuchJob(f"no job with id {id_or_prefix!r}", hint="`queuectl list` shows the jobs")


def get(database: Database, id_or_prefix: str) -> Job:
    """The job; raises as `resolve` does."""
    row, _ = resolve(database, id_or_prefix)
    found = database.select(_jobs().where(JobRow.id == row))
    if not found:  # removed between the two looks
        raise _no_such(id_or_prefix)
    return _job(found[0])


def attempts(database: Database, id_or_prefix: str) -> list[Attempt]:
    """All attempts of the job, the first one first; raises as `resolve` does."""
    row, _ = resolve(database, id_or_prefix)
    query = (
        AttemptRow.select(*_ATTEMPT)
        .left_outer_join(WorkerRow, on=(WorkerRow.id == AttemptRow.worker_id))
        .where(AttemptRow.job_id == row)
        .order_by(AttemptRow.number)
    )
    return [_attempt(found) for found in database.select(query)]


def jobs(database: Database, which: Filter, limit: int | None = None) -> Iterator[Job]:
    """The jobs of the filter, the newest first; None = all.

    Read by the page, each after the last id of the one before, so that no long read keeps the log from being
    checkpointed.
    """
    below: int | None = None
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        ids = [row[0] for row in database.select(_page(which, below, size))]
        if ids:
            query = _jobs().where(JobRow.id.in_(ids)).order_by(JobRow.id.desc())
            yield from map(_job, database.select(query))
        if len(ids) < size:
            return
        below = ids[-1]
        left = None if left is None else left - size


def count(database: Database, which: Filter) -> int:
    """How many jobs the filter finds."""
    return int(database.select(JobRow.select(_count_all()).where(_conditions(which)))[0][0])


def found(database: Database, which: Filter) -> list[tuple[int, str]]:
    """The rows and ids of the jobs that the filter finds, the oldest first."""
    return database.select(JobRow.select(JobRow.id, JobRow.public_id).where(_conditions(which)).order_by(JobRow.id))


def counts(database: Database) -> dict[str, dict[State, int]]:
    """How many jobs each queue has in each state; from the counters, so it costs the same however many there are."""
    found: dict[str, dict[State, int]] = {}
    query = CountRow.select(CountRow.queue, CountRow.state, CountRow.n).order_by(CountRow.queue)
    for queue, state, n in database.select(query):
        found.setdefault(queue, dict.fromkeys(State, 0))[State(state)] = n
    return found


def dead_summary(database: Database, most: int = 10) -> DeadSummary:
    """The DLQ in figures, with its `most` frequent errors."""
    from peewee import SQL, fn

    # The IN is the index's own condition, word for word: else SQLite doesn't see that it serves.
    dead = SQL("state IN ('completed', 'dead', 'cancelled')") & (JobRow.state == State.DEAD.value)
    total, mean, oldest, newest = database.select(
        JobRow.select(
            _count_all(), fn.AVG(JobRow.attempts), fn.MIN(JobRow.finished_at), fn.MAX(JobRow.finished_at)
        ).where(dead)
    )[0]
    often = _count_all()
    errors = database.select(
        JobRow.select(AttemptRow.error, often)
        .join(AttemptRow, on=_last_attempt())
        .where(dead & AttemptRow.error.is_null(False))
        .group_by(AttemptRow.error)
        .order_by(often.desc(), AttemptRow.error)
        .limit(most)
    )
    return DeadSummary(total, float(mean or 0), oldest, newest, tuple(Failure(*row) for row in errors))


def _count_all() -> Function:
    from peewee import SQL, fn

    return fn.COUNT(SQL("1"))


def _last_attempt() -> Expression:
    return (AttemptRow.job_id == JobRow.id) & (AttemptRow.number == JobRow.claim_seq)


def _jobs() -> Select:
    return (
        JobRow.select(*_JOB, *_SPEC, *_ATTEMPT)
        .join(SpecRow, on=(SpecRow.job_id == JobRow.id))
        .left_outer_join(AttemptRow, on=_last_attempt())
        .left_outer_join(WorkerRow, on=(WorkerRow.id == AttemptRow.worker_id))
    )


def _page(which: Filter, below: int | None, size: int) -> Select:
    query = JobRow.select(JobRow.id).where(_conditions(which))
    if below is not None:
        query = query.where(JobRow.id < below)
    return query.order_by(JobRow.id.desc()).limit(size)


def _conditions(which: Filter) -> Expression:
    import json

    from peewee import Value, fn

    found = [Value(1) == 1]
    if which.states:
        found.append(JobRow.state.in_([state.value for state in which.states]))
    if which.queue is not None:
        found.append(JobRow.queue == which.queue)
    if which.since is not None:
        found.append(JobRow.created_at >= which.since)
    if which.search and "\0" in which.search:
        # LIKE reads its pattern up to a NUL, and would find everything; no job has one in it.
        found.append(Value(1) == 0)
    if which.by is not None:
        found.append(JobRow.id.in_(SpecRow.select(SpecRow.job_id).where(done_by(SpecRow.enqueued_by, which.by))))
    if which.tags or which.search:
        specs = SpecRow.select(SpecRow.job_id)
        for tag in which.tags:
            # Tags are a JSON list: the quotes around one keep "web" from finding "webcam".
            specs = specs.where(fn.INSTR(SpecRow.tags, json.dumps(tag, ensure_ascii=False)) > 0)
        if which.search:
            text = SpecRow.command.contains(which.search) | SpecRow.description.contains(which.search)
            specs = specs.where(text)
            named = JobRow.public_id.contains(which.search)
            found.append(named | JobRow.id.in_(specs) if not which.tags else JobRow.id.in_(specs))
        else:
            found.append(JobRow.id.in_(specs))
    return reduce(and_, found)


def _job(row: Row) -> Job:
    facts, spec, last = row[: len(_JOB)], row[len(_JOB) : -len(_ATTEMPT)], row[-len(_ATTEMPT) :]
    attempt = None if last[0] is None else _attempt(last)
    return Job._make((*facts[:3], State(facts[3]), *facts[4:], spec_of(spec), attempt))


def _attempt(row: Row) -> Attempt:
    number, worker, host, pid, started_at, finished_at, outcome, *rest, tail = row
    how = Outcome(outcome) if outcome else None
    # The rows of workers that are long gone are forgotten before the attempts that name them.
    return Attempt._make(
        (number, worker or "", host or "", pid, started_at, finished_at, how, *rest, bytes(tail or b""))
    )
