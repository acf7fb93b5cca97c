"""Waiting for a job to end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from queuectl.domain.states import ENDED
from queuectl.errors import DatabaseUnavailable, WaitTimeout
from queuectl.storage import queries

if TYPE_CHECKING:
    from queuectl.domain.job import Job
    from queuectl.storage.database import Database

_SHORTEST, _LONGEST = 0.01, 0.2
"""Seconds between looks. A look costs 4 µs where nothing was committed since the last one."""


def wait_for(database: Database, id_or_prefix: str, timeout: float | None) -> Job:
    """The job once it has ended. `timeout` in seconds; None = as long as it takes.

    The looks grow apart with the time waited, up to a fifth of a second: nobody who waited for an hour minds it.

    Raises:
        WaitTimeout: it hadn't ended by then.
        NoSuchJob, AmbiguousId: there is no one such job, or it was removed.
        DatabaseUnavailable: the database was removed, or another was put in its place.
    """
    began = time.monotonic()
    job_id = queries.resolve(database, id_or_prefix)[1]
    seen: object = None
    while True:
        # The counter of commits by others: SQLite's own way to tell that nothing can have changed.
        version = database.version()
        if version != seen:
            seen = version
            job = queries.get(database, job_id)
            if job.state in ENDED:
                return job
        if database.is_gone():
            # The file that is open has no name any more: nobody will ever write to it.
            raise DatabaseUnavailable(f"{database.path}: was removed while waiting for job {job_id}")
        waited = time.monotonic() - began
        if timeout is not None and waited >= timeout:
            raise WaitTimeout(f"job {job_id} is {job.state} after {timeout:.3g} s")
        pause = min(_LONGEST, max(_SHORTEST, waited / 20))
        time.sleep(pause if timeout is None else min(pause, timeout - waited))
