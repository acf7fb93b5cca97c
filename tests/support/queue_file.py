"""A queue's database for tests: jobs to put in, workers to claim them, processes that use it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

from queuectl.domain.job import NewJob, Spec
from queuectl.domain.states import Outcome, State
from queuectl.storage import enqueue, workers
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.database import Database
from queuectl.storage.workers import WorkerStart

NOW = 1_800_000_000_000


def new_job(job_id: str | None = None, **fields: Any) -> NewJob:
    """A job that passed the door."""
    job = NewJob(job_id, "default", 0, 3, State.PENDING, None, None, Spec("true"))
    return job._replace(**fields)


def add(database: Database, *jobs: NewJob, now: int = NOW) -> list[str]:
    return enqueue.insert(database, jobs or [new_job()], now)


def add_worker(database: Database, name: str = "default-0") -> int:
    return workers.register(database, WorkerStart(0, f"{name}-{os.urandom(4).hex()}", name, "h", "b", 1), NOW)


def ending(claim: Claim, state: State, outcome: Outcome, now: int = NOW, run_at: int | None = None) -> Ending:
    return Ending(claim.job, claim.id, claim.number, state, outcome, now, run_at)


def state_of(database: Database, row: int) -> State:
    return State(database.rows("SELECT state FROM jobs WHERE id = ?", (row,))[0][0])


def check_counts(database: Database) -> None:
    """The counters say what counting says."""
    counted = set(database.rows("SELECT queue, state, count(*) FROM jobs GROUP BY queue, state"))
    assert set(database.rows("SELECT queue, state, n FROM job_counts WHERE n <> 0")) == counted


def check_sound(database: Database) -> None:
    """SQLite finds nothing wrong, and every job has its spec, every spec and attempt its job."""
    assert database.rows("PRAGMA integrity_check") == [("ok",)]
    assert database.rows("PRAGMA foreign_key_check") == []
    assert database.rows("SELECT id FROM jobs EXCEPT SELECT job_id FROM job_specs") == []
    assert database.rows("SELECT job_id FROM job_specs EXCEPT SELECT id FROM jobs") == []
    assert database.rows("SELECT job_id FROM attempts EXCEPT SELECT id FROM jobs") == []
    check_counts(database)


def forked(work: Callable[[], object]) -> int:
    """Run `work` in a child; its exit code is 0, or 1 where it raised."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
