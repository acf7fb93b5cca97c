"""What runs according to the database, and what its times say: for who looks whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from queuectl.storage.connection import Row
    from queuectl.storage.database import Database

_LATEST = 1000


class Running(NamedTuple):
    """A job that is processing, with its worker. Times are milliseconds since the epoch."""

    job: int
    """The row's id."""
    id: str
    number: int
    """Of the attempt."""
    worker: str
    uuid: str
    boot_id: str
    started_at: int
    timeout_ms: int
    kill_grace_ms: int
    cancel_requested_at: int | None


def running(database: Database) -> list[Running]:
    """The jobs that are processing, the longest first."""
    return [
        Running._make(row)
        for row in database.rows(
            "SELECT j.id, j.public_id, j.claim_seq, w.name, w.uuid, w.boot_id, a.started_at, s.timeout_ms, "
            "s.kill_grace_ms, j.cancel_requested_at FROM jobs j JOIN workers w ON w.id = j.worker_id "
            "JOIN job_specs s ON s.job_id = j.id JOIN attempts a ON a.job_id = j.id AND a.number = j.claim_seq "
            "WHERE j.state = 'processing' ORDER BY a.started_at"
        )
    ]


def first_start(database: Database) -> int | None:
    """When the first of the workers began that is still known."""
    return _time(database.rows("SELECT min(started_at) FROM workers"))


def latest_time(database: Database) -> int | None:
    """The latest time at which anything happened, as far as the last thousand jobs and attempts know."""
    return _time(
        database.rows(
            "SELECT max(at) FROM ("
            "SELECT max(updated_at) AS at FROM (SELECT updated_at FROM jobs ORDER BY id DESC LIMIT ?) "
            "UNION ALL SELECT max(at) FROM (SELECT max(started_at, coalesce(finished_at, 0)) AS at "
            "FROM attempts ORDER BY id DESC LIMIT ?))",
            (_LATEST, _LATEST),
        )
    )


def _time(found: list[Row]) -> int | None:
    return None if found[0][0] is None else int(found[0][0])
