"""The records of a job and of its attempts, as all floors pass them around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from queuectl.domain.states import Outcome, State

MAX_TAIL = 4096
"""How many bytes of the end of an output are kept in the database."""


class Spec(NamedTuple):
    """What to run, and how: resolved at enqueue, so that a later change of the configuration changes new jobs only."""

    command: str
    """What `/bin/sh -c` runs; of an argv, its quoted join."""
    argv: tuple[str, ...] | None = None
    """Run without a shell, instead of `command`."""
    cwd: str = "/"
    env: Mapping[str, str] | None = None
    env_file: str | None = None
    """Variables that are read when an attempt starts; those of `env` win."""
    stdin: str | None = None
    timeout_ms: int = 0
    """How long an attempt may run; 0 = no limit."""
    kill_grace_ms: int = 10_000
    """How long what was sent TERM may take before KILL."""
    backoff_base: float = 2.0
    backoff_max_ms: int = 3_600_000
    backoff_jitter: float = 0.1
    no_retry_exit_codes: tuple[int, ...] = ()
    output_limit: int = 10 * 2**20
    """Bytes; of a longer output, the head and the tail are kept."""
    tags: tuple[str, ...] = ()
    description: str | None = None


class NewJob(NamedTuple):
    """A job that passed the door, and isn't in the database yet."""

    id: str | None
    """None = to be made up."""
    queue: str
    priority: int
    max_retries: int
    state: State
    """One of `states.INITIAL`."""
    run_at: int | None
    """Milliseconds since the epoch; None = at once."""
    unique_key: str | None
    spec: Spec


class Attempt(NamedTuple):
    """One execution of a job. Times are milliseconds since the epoch, `cpu_*` seconds, `max_rss` bytes."""

    number: int
    worker: str
    host: str
    pid: int | None
    started_at: int
    finished_at: int | None
    outcome: Outcome | None
    """None while it runs."""
    exit_code: int | None
    signal: int | None
    error: str | None
    max_rss: int | None
    cpu_user: float | None
    cpu_system: float | None
    output_size: int | None
    """Bytes the command wrote, also where the middle was left out."""
    tail: bytes | None
    """The last MAX_TAIL bytes of the output."""


class Job(NamedTuple):
    """A job as it stands in the database, with what its last attempt did. Times are milliseconds since the epoch."""

    id: str
    queue: str
    priority: int
    state: State
    attempts: int
    """Executions that were started and not given back."""
    max_retries: int
    run_at: int | None
    created_at: int
    updated_at: int
    finished_at: int | None
    cancel_requested_at: int | None
    unique_key: str | None
    reason: str | None
    """Why it is in its state, where that isn't plain: who cancelled it, why it can't be ended."""
    enqueued_by: str | None
    """A login name, `NAME (as ACCOUNT)` through sudo; None of a job that is older than this record."""
    spec: Spec
    last: Attempt | None


def accepted(new: NewJob, job_id: str, by: str, now: int) -> Job:
    """The job in the moment in which it was enqueued, under that id, by somebody, at `now`."""
    return Job(
        id=job_id,
        queue=new.queue,
        priority=new.priority,
        state=new.state,
        attempts=0,
        max_retries=new.max_retries,
        run_at=now if new.run_at is None else new.run_at,
        created_at=now,
        updated_at=now,
        finished_at=None,
        cancel_requested_at=None,
        unique_key=new.unique_key,
        reason=None,
        enqueued_by=by,
        spec=new.spec,
        last=None,
    )
