"""What is wrong with an installation: for `status --check`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from queuectl.cli.serving import unserved
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration, format_size
from queuectl.domain.states import State
from queuectl.pools.status import WorkerStatus


def troubles(session: Session, queues: Mapping[str, Mapping[State, int]], workers: Sequence[WorkerStatus]) -> list[str]:
    """A line for each trouble; none where all is well.

    Trouble is what keeps jobs from running, and what waits for a person: a queue with work and without workers, a pool
    with fewer workers than it should have (while some run: who stopped them all meant it), a worker that hangs or has
    failed, a full disk, dead jobs.
    """
    found = _stuck_queues(session, queues) + _missing_workers(session, workers)
    settings = session.settings
    for worker in workers:
        if worker.state == "failed":
            found.append(f"worker {worker.name} has failed: queuectl worker logs {worker.name}")
        elif worker.beat_at is not None and now_ms() - worker.beat_at > settings.job_lock_timeout * 1000:
            silent = format_duration((now_ms() - worker.beat_at) // 1000)
            found.append(f"worker {worker.name} gave no sign of life for {silent}")
    disk = os.statvfs(session.place.home)
    free = disk.f_bavail * disk.f_frsize
    if free < settings.min_free_space:
        least = format_size(settings.min_free_space)
        found.append(f"{format_size(free)} free on the disk of {session.place.home}: below {least} no job is started")
    dead = sum(states[State.DEAD] for states in queues.values())
    if dead:
        found.append(f"{dead} dead {'job' if dead == 1 else 'jobs'}: queuectl dlq list")
    return found


def _stuck_queues(session: Session, queues: Mapping[str, Mapping[State, int]]) -> list[str]:
    waiting = {queue: states[State.PENDING] for queue, states in queues.items() if states[State.PENDING]}
    return [
        f"queue {queue}: {waiting[queue]} pending, and no worker serves it: queuectl worker start"
        for queue in unserved(session, waiting)
    ]


def _missing_workers(session: Session, workers: Sequence[WorkerStatus]) -> list[str]:
    alive = [worker.pool for worker in workers if worker.pid is not None]
    if not alive:
        return []
    return [
        f"pool {pool.name}: {alive.count(pool.name)} of {pool.workers} workers run: queuectl worker start"
        for pool in session.settings.pools.values()
        if alive.count(pool.name) < pool.workers
    ]
