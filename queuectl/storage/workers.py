"""The starts of workers, and the attempts that a dead one left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from queuectl.storage.claims import Claim, spec_of

if TYPE_CHECKING:
    from queuectl.storage.database import Database


class WorkerStart(NamedTuple):
    """One start of a worker, as the database has it."""

    row: int
    uuid: str
    name: str
    host: str
    boot_id: str
    pid: int


class OpenAttempt(NamedTuple):
    """An attempt that hasn't ended: its claim, and its main process as far as that was written down."""

    claim: Claim
    pid: int | None
    proc_starttime: int | None


def register(database: Database, worker: WorkerStart, now: int) -> int:
    """Write down a start (its `row` is not looked at); returns the row's id."""
    with database.write(synced=False):
        return int(
            database.rows(
                "INSERT INTO workers (uuid, name, host, boot_id, pid, started_at) "
                "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                (worker.uuid, worker.name, worker.host, worker.boot_id, worker.pid, now),
            )[0][0]
        )


def retire(database: Database, row: int, now: int) -> None:
    """Write down the end of a start."""
    with database.write(synced=False):
        database.change("UPDATE workers SET ended_at = ? WHERE id = ? AND ended_at IS NULL", (now, row))


def unsettled(database: Database) -> list[WorkerStart]:
    """The starts, dead or alive, whose end isn't written down, or whose jobs are `processing`."""
    return [
        WorkerStart(*row)
        for row in database.rows(
            "SELECT id, uuid, name, host, boot_id, pid FROM workers "
            "WHERE ended_at IS NULL OR id IN (SELECT worker_id FROM jobs WHERE state = 'processing')"
        )
    ]


def open_attempts(database: Database, row: int) -> list[OpenAttempt]:
    """What that start has not ended."""
    return [
        OpenAttempt(Claim._make((*found[:7], spec_of(found[9:]))), *found[7:9])
        for found in database.rows(
            """
            SELECT j.id, j.public_id, j.queue, j.claim_seq, j.attempts, j.max_retries,
                a.slot, a.pid, a.proc_starttime,
                s.command, s.argv, s.cwd, s.env, s.env_file, s.stdin, s.timeout_ms, s.kill_grace_ms,
                s.backoff_base, s.backoff_max_ms, s.backoff_jitter, s.no_retry_exit_codes, s.output_limit, s.tags,
                s.description
            FROM jobs j
            JOIN job_specs s ON s.job_id = j.id
            JOIN attempts a ON a.job_id = j.id AND a.number = j.claim_seq
            WHERE j.state = 'processing' AND j.worker_id = ?
            """,
            (row,),
        )
    ]
