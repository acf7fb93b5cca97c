"""The dead letter queue: the jobs in state `dead`, whose retries are used up."""

from __future__ import annotations

from queuectl.domain.job import Job
from queuectl.domain.states import State
from queuectl.errors import WrongState
from queuectl.queue.bulk import remove_all, retry_all
from queuectl.queue.library import Queue
from queuectl.storage import queries

DEAD = queries.Filter(states=(State.DEAD,))


def get(queue: Queue, job_id: str) -> Job:
    """The dead job with that id, or whose id alone begins so.

    Raises:
        WrongState: it isn't dead.
        NoSuchJob, AmbiguousId: there is none; there are several.
    """
    job = queue.get(job_id)
    if job.state is not State.DEAD:
        raise WrongState(f"job {job.id} is {job.state}, not dead", hint=f"queuectl show {job.id}")
    return job


def count(queue: Queue) -> int:
    """How many jobs are dead, of those that one may change."""
    return queries.count(queue.database, queue.changeable(DEAD))


def summary(queue: Queue) -> queries.DeadSummary:
    """The dead jobs in figures."""
    return queries.dead_summary(queue.database)


def retry(queue: Queue, *, keep_attempts: bool = False) -> tuple[list[str], list[str]]:
    """Run all dead jobs again, as `retry_all` does."""
    return retry_all(queue, DEAD, keep_attempts=keep_attempts)


def remove(queue: Queue) -> list[str]:
    """Forget all dead jobs; their ids."""
    return remove_all(queue, DEAD)
