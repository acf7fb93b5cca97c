"""The jobs.json of the former queuectl: an object of jobs by their ids, with what became of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from queuectl.domain.clock import now_ms, parse_time
from queuectl.domain.intake import Defaults, read_job
from queuectl.domain.job import MAX_TAIL
from queuectl.domain.states import Outcome, State
from queuectl.errors import InvalidJob
from queuectl.execution.place import make_directory, mode_in, output_path
from queuectl.queue.library import Queue
from queuectl.storage import importing
from queuectl.storage.importing import Imported, Past

_STATES = {
    "pending": State.PENDING,
    "processing": State.PENDING,
    "failed": State.FAILED,
    "completed": State.COMPLETED,
    "dead": State.DEAD,
}
_OUTCOMES = {"completed": Outcome.COMPLETED, "processing": Outcome.RELEASED}
_JOB_KEYS = ("command", "max_retries", "timeout", "priority")
_PAST_KEYS = ("id", "state", "attempts", "created_at", "updated_at", "output", "error")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Result(NamedTuple):
    """What an import did."""

    imported: list[str]
    there: list[str]
    """Those that an earlier import had brought."""
    renamed: dict[str, str]
    """Ids that can't be ids here, and what they became."""
    ignored: list[str]
    """Keys that say nothing to us."""


def import_jobs(queue: Queue, document: object) -> Result:
    """Take over all jobs of `document`, in one transaction, or none. May be done twice.

    Raises:
        InvalidJob: it isn't a jobs.json, or a job in it is no good.
        DuplicateJob: an id is taken by another job.
        DatabaseError: nothing was written.
    """
    records = _records(document)
    given = queue.defaults()
    jobs = [_read(name, record, given) for name, record in records]
    renamed = {name: job.id for (name, _), job in zip(records, jobs, strict=True) if name != job.id}
    ids = [job.id for job in jobs]
    for job_id in renamed.values():
        if ids.count(job_id) > 1:
            raise InvalidJob(f"several jobs would have the id {job_id!r}, since only A-Z a-z 0-9 _ . - may be in one")
    new = importing.insert(queue.database, jobs, now_ms())
    _write_outputs(queue, jobs)
    known = {*_JOB_KEYS, *_PAST_KEYS}
    ignored = sorted({key for _, record in records for key, value in record.items() if key not in known and value})
    brought = set(new)
    return Result(new, [job_id for job_id in ids if job_id not in brought], renamed, ignored)


def _records(document: object) -> list[tuple[str, dict[str, object]]]:
    expected = 'expected an object of jobs by their ids, like {"a1": {"command": "true", "state": "pending"}}'
    if not isinstance(document, dict) or not all(isinstance(record, dict) for record in document.values()):
        raise InvalidJob(expected, hint="a file of new jobs: queuectl enqueue --batch FILE")
    for name, record in document.items():
        if not name or record.get("id", name) != name:
            raise InvalidJob(f"job {name!r}: expected the same id inside, got {record.get('id')!r}", key="id")
    return list(document.items())


def _read(name: str, record: dict[str, object], given: Defaults) -> Imported:
    try:
        job_id = _UNSAFE.sub("_", name)[:100]
        keys = {key: record[key] for key in _JOB_KEYS if record.get(key) is not None}
        if job_id != name:
            keys["description"] = f"imported: {name}"[:300]
        job = read_job({"id": job_id, **keys}, given)
        state = record.get("state", "pending")
        if not isinstance(state, str) or state not in _STATES:
            raise InvalidJob(f'"state": expected one of {", ".join(_STATES)}, got {state!r}', key="state")
        attempts = record.get("attempts") or 0
        if not isinstance(attempts, int) or isinstance(attempts, bool) or not 0 <= attempts < 10**6:
            raise InvalidJob(f'"attempts": expected a number of executions, got {attempts!r}', key="attempts")
        created_at = _time(record, "created_at", given.now)
        updated_at = _time(record, "updated_at", created_at)
        output, error = _text(record, "output"), _text(record, "error")
        past = None
        if attempts or output or error or state != "pending":
            outcome = _OUTCOMES.get(state, Outcome.FAILED)
            past = Past(max(1, attempts), updated_at, outcome, error or None, (output or "").encode())
        return Imported(job_id, job, _STATES[state], attempts, created_at, updated_at, past)
    except InvalidJob as error:
        raise InvalidJob(f"job {name!r}: {error}", key=error.key, hint=error.hint) from None


def _time(record: dict[str, object], key: str, otherwise: int) -> int:
    value = record.get(key)
    if value is None:
        return otherwise
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 253_402_300_800:
        return round(value * 1000)
    try:
        return parse_time(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidJob(f'"{key}": expected a time like 2026-11-24T06:45:00, got {value!r}', key=key) from None


def _text(record: dict[str, object], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidJob(f'"{key}": expected a text, got {value!r}', key=key)
    return None if value is None else value.encode("utf-8", "replace").decode()


def _write_outputs(queue: Queue, jobs: Sequence[Imported]) -> None:
    """Give long outputs their files; the database has but the end of them. After the commit, and also of jobs that an
    earlier import brought: it may have been ended between the two."""
    for job in jobs:
        if job.past is None or len(job.past.output) <= MAX_TAIL:
            continue
        path = output_path(queue.installation.output, job.id, job.past.number)
        if os.path.exists(path):
            continue
        make_directory(os.path.dirname(path))
        fresh = f"{path}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(fresh, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode_in(os.path.dirname(path)))
            file.write(job.past.output)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, path)
