"""What `enqueue` does with jobs once they are read: check, write, and say so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from queuectl.cli import reading
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration
from queuectl.domain.intake import read_job
from queuectl.domain.job import NewJob, accepted
from queuectl.domain.states import State
from queuectl.errors import DuplicateJob, InvalidJob
from queuectl.storage.enqueue import insert

if TYPE_CHECKING:
    from queuectl.domain.intake import Defaults

_MANY = 5000
"""From so many jobs on, a person is shown how far it is."""


class Many(NamedTuple):
    """Jobs that passed the door, and where each of them stood."""

    name: str
    jobs: list[NewJob]
    lines: list[int]


def joined(weaker: Mapping[str, object], stronger: Mapping[str, object]) -> dict[str, object]:
    """Keys of a job from two places; variables and tags of both count."""
    found = {**weaker, **stronger}
    if "delay" in stronger or "run_at" in stronger:  # two ways to say the same
        found = {key: value for key, value in found.items() if key not in ("delay", "run_at") or key in stronger}
    for key in weaker.keys() & stronger.keys():
        old, new = weaker[key], stronger[key]
        if key == "env" and isinstance(old, Mapping) and isinstance(new, Mapping):
            found[key] = {**old, **new}
        elif key == "tags":
            found[key] = [*_tags(old), *_tags(new)]
    return found


def _tags(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def check_one(session: Session, raw: object, name: str | None, keys: Mapping[str, object], held: bool) -> NewJob:
    """The job that `raw` and the options describe. Raises InvalidJob, or UsageError for a list."""
    if isinstance(raw, list):
        raise reading.a_list(name or "")
    try:
        return read_job(joined(raw, keys) if isinstance(raw, dict) else raw, session.defaults(held=held))
    except InvalidJob as error:
        raise InvalidJob(f"{name}: {error}" if name else str(error), key=error.key, hint=error.hint) from None


def write_one(session: Session, job: NewJob, *, wait: bool, as_json: bool) -> int | None:
    """Queue it, and say so; with `wait`, its exit code once it has ended."""
    database = session.database  # opened before the job counts as queued
    now = now_ms()
    (job_id,) = insert(database, [job], now)
    if as_json:
        from queuectl.cli.output.document import job_document, write_json

        write_json(job_document(accepted(job, job_id, database.actor, now)))
    elif sys.stdout.isatty() and not session.quiet:
        print(_sentence(job, job_id))
    else:
        print(job_id)
    if sys.stderr.isatty():
        _hint_at_workers(session, [job])
    return _waited(session, [job_id]) if wait else None


def check_many(session: Session, path: str, keys: Mapping[str, object], held: bool, *, shell: bool) -> Many:
    """The jobs of a file, `-` = standard input; `shell` = a command a line.

    Raises:
        InvalidJob: one of them is no good; the message begins with the file and the line.
        UsageError: the file can't be read.
    """
    text, name = reading.read_text(path)
    entries = reading.shell_lines(text) if shell else reading.batch(text, name)
    found = Many(name, [], [])
    _read(entries, found, keys, session.defaults(held=held), _progress(session, text.count("\n")))
    if not found.jobs:
        session.note(f"{name}: no jobs in it")
    return found


def _read(
    entries: Iterable[reading.Entry],
    found: Many,
    keys: Mapping[str, object],
    given: Defaults,
    progress: Callable[[int], None] | None,
) -> None:
    jobs, lines = found.jobs, found.lines
    for line, raw in entries:
        try:
            jobs.append(read_job(joined(keys, raw) if keys and isinstance(raw, dict) else raw, given))
        except InvalidJob as error:
            raise InvalidJob(f"{found.name}:{line}: {error}", key=error.key, hint=error.hint) from None
        lines.append(line)
        if progress and not len(jobs) % 1000:
            progress(line)


def write_many(session: Session, many: Many, *, wait: bool, as_json: bool) -> int | None:
    """Queue them, all or none, and say so; with `wait`, the exit code of the first that didn't end well."""
    try:
        ids = insert(session.database, many.jobs, now_ms()) if many.jobs else []
    except DuplicateJob as error:
        line = many.lines[error.index]
        raise DuplicateJob(f"{many.name}:{line}: {error}", index=error.index, hint=error.hint) from None
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json({"enqueued": len(ids), "ids": ids})
    elif sys.stdout.isatty():
        print(f"Enqueued {len(ids):,} jobs")
    elif ids:
        sys.stdout.write("\n".join(ids) + "\n")
    if sys.stderr.isatty():
        _hint_at_workers(session, many.jobs)
    return _waited(session, ids) if wait else None


def _waited(session: Session, ids: list[str]) -> int:
    from queuectl.cli.waiting import wait_for_all

    sys.stdout.flush()  # who reads the id may want it now
    return wait_for_all(session, ids, None)


def _sentence(job: NewJob, job_id: str) -> str:
    timeout = format_duration(job.spec.timeout_ms / 1000) if job.spec.timeout_ms else "none"
    said = f"Enqueued {job_id} in queue {job.queue}, timeout {timeout}"
    if job.state is State.HELD:
        return f"{said}, held until `queuectl release {job_id}`"
    if job.state is State.SCHEDULED and job.run_at is not None:
        from queuectl.cli.output.moments import Moments

        return f"{said}, runs {Moments(now_ms(), relative=True).show(job.run_at)}"
    return said


def _hint_at_workers(session: Session, jobs: Iterable[NewJob]) -> None:
    """Say which queues nobody serves."""
    from queuectl.cli.serving import unserved

    for queue in unserved(session, dict.fromkeys(job.queue for job in jobs)):
        session.hint(f"no worker serves queue {queue}: queuectl worker start")


def _progress(session: Session, total: int) -> Callable[[int], None] | None:
    """Called with the line that was read, draws how far that is; None where nobody would see it, or it's no matter."""
    if total < _MANY or session.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None

    def draw(line: int) -> None:
        done = min(1.0, line / total)
        bar = "#" * round(done * 40)
        sys.stderr.write(f"\r[{bar:<40}] {line:,} of {total:,} lines")
        sys.stderr.flush()

    return draw
