"""Jobs that don't get on: those that nobody serves, those that nobody runs any more, those that don't end."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration
from queuectl.domain.findings import Finding, error, ok, warning
from queuectl.domain.settings import Settings
from queuectl.domain.states import State
from queuectl.execution.mark import mark_of
from queuectl.execution.tree import members
from queuectl.pools.presence import sightings
from queuectl.storage import queries
from queuectl.storage.database import Database
from queuectl.storage.running import Running, running

_LATE = 30_000
"""Milliseconds behind its timeout and its grace that a job may take to be gone."""
_NAMED = 5


def examine(database: Database, place: Installation, settings: Settings) -> Iterator[Finding]:
    """Queues, dead workers' jobs, stuck jobs, dead jobs."""
    held = [seen for seen in sightings(place.locks) if seen.held]
    alive = {seen.record.uuid for seen in held if seen.record is not None}
    counts = queries.counts(database)
    yield from _unserved(counts, settings, {seen.pool for seen in held})
    jobs = running(database)
    yield from _orphaned([job for job in jobs if job.uuid not in alive], bool(held))
    yield from _stuck([job for job in jobs if _is_late(job, now_ms())])
    dead = sum(states[State.DEAD] for states in counts.values())
    if dead:
        yield warning("jobs.dead", "the dead letter queue", f"{dead} dead jobs", "queuectl dlq list")


def _unserved(counts: dict[str, dict[State, int]], settings: Settings, alive: set[str]) -> Iterator[Finding]:
    serving = [settings.pools[pool].queues for pool in alive if pool in settings.pools]
    left = [
        (queue, states[State.PENDING])
        for queue, states in counts.items()
        if states[State.PENDING] and not any(served is None or queue in served for served in serving)
    ]
    for queue, n in left:
        yield error("queues", queue, f"{n} pending, and no worker serves it", "queuectl worker start")
    if not left:
        yield ok("queues", ", ".join(counts) or "no queue", "all that is pending is served")


def _orphaned(jobs: list[Running], someone: bool) -> Iterator[Finding]:
    if not jobs:
        yield ok("jobs.workers", "running jobs", "the worker of each lives")
        return
    names = ", ".join(dict.fromkeys(job.worker for job in jobs))
    what = f"{len(jobs)} running jobs of workers that are dead: {_some([job.id for job in jobs])}"
    if someone:  # recovers them within a second, unless something can't be killed
        yield warning("jobs.workers", names, f"{what}; they are being recovered", "queuectl doctor, in a moment")
    else:
        yield error("jobs.workers", names, f"{what}; the next worker recovers them", "queuectl worker start")


def _is_late(job: Running, now: int) -> bool:
    """Behind the time at which its worker should have ended it."""
    ends = [job.started_at + job.timeout_ms] if job.timeout_ms else []
    if job.cancel_requested_at is not None:
        ends.append(job.cancel_requested_at)
    return bool(ends) and now > min(ends) + job.kill_grace_ms + _LATE


def _stuck(jobs: list[Running]) -> Iterator[Finding]:
    for job in jobs[:_NAMED]:
        pids = sorted(members(mark_of(job.uuid, job.job, job.number)))
        since = format_duration((now_ms() - job.started_at) // 1000)
        what = "was to be cancelled" if job.cancel_requested_at is not None else "is over its timeout"
        if pids:
            those = " ".join(map(str, pids))
            found = f"runs for {since}, {what}, and can't be ended: pid {those}"
            yield error("jobs.stuck", job.id, found, f"sudo kill -9 {those}")
        else:
            found = f"runs for {since}, {what}, and has no process on this machine"
            yield error("jobs.stuck", job.id, found, f"queuectl worker restart {job.worker}")
    if len(jobs) > _NAMED:
        yield error(
            "jobs.stuck", "further jobs", f"{len(jobs) - _NAMED} more are stuck", "queuectl list --state processing"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
