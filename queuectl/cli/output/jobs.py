"""Jobs as a table: a column appears only where some job has something to say in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from queuectl.cli.output.document import job_document, write_json_array, write_json_lines
from queuectl.cli.output.moments import Moments
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration
from queuectl.domain.job import Job
from queuectl.domain.states import State

STYLES: dict[State, str] = {
    State.PENDING: "yellow",
    State.SCHEDULED: "cyan",
    State.BLOCKED: "magenta",
    State.HELD: "magenta",
    State.PROCESSING: "blue",
    State.FAILED: "red",
    State.COMPLETED: "green",
    State.DEAD: "bold red",
    State.CANCELLED: "dim",
}


class _JobColumn(NamedTuple):
    column: Column
    cell: Callable[[Job, Moments], Cell]
    used: Callable[[Job], bool] | None = None
    """Whether the job has something to say there; None = always."""
    wide: bool = False
    """Only with `-o wide` or --verbose."""


def state_cell(job: Job, *, with_exit: bool) -> Cell:
    """`failed (2)`: with the exit code for a person; the state alone for a program."""
    code = job.last.exit_code if job.last else None
    unsuccessful = job.state in (State.FAILED, State.DEAD)
    return Cell(f"{job.state} ({code})" if with_exit and unsuccessful and code else str(job.state), STYLES[job.state])


def _ran(job: Job) -> str:
    if not job.last:
        return ""
    end = now_ms() if job.last.finished_at is None else job.last.finished_at
    return format_duration(max(0, end - job.last.started_at) / 1000)


def _columns(person: bool) -> tuple[_JobColumn, ...]:
    return (
        _JobColumn(Column("ID"), lambda job, _: Cell(job.id, "bold")),
        _JobColumn(Column("STATE"), lambda job, _: state_cell(job, with_exit=person)),
        _JobColumn(Column("QUEUE"), lambda job, _: Cell(job.queue), lambda job: job.queue != "default"),
        _JobColumn(Column("PRIO", right=True), lambda job, _: Cell(str(job.priority)), lambda job: job.priority != 0),
        _JobColumn(
            Column("TRIES", right=True),
            lambda job, _: Cell(f"{job.attempts}/{job.max_retries + 1}"),
            lambda job: job.attempts > 0,
        ),
        _JobColumn(Column("CREATED"), lambda job, moments: Cell(moments.show(job.created_at), "dim")),
        _JobColumn(
            Column("DUE"),
            lambda job, moments: Cell(moments.show(job.run_at) if _waits(job) else ""),
            _waits,
        ),
        _JobColumn(
            Column("STARTED"),
            lambda job, moments: Cell(moments.show(job.last.started_at if job.last else None)),
            lambda job: job.last is not None,
            wide=True,
        ),
        _JobColumn(Column("RAN", right=True), lambda job, _: Cell(_ran(job)), lambda job: bool(job.last), wide=True),
        _JobColumn(
            Column("WORKER"),
            lambda job, _: Cell(job.last.worker if job.last else ""),
            lambda job: bool(job.last and job.last.worker),
            wide=True,
        ),
        _JobColumn(
            Column("TIMEOUT", right=True), lambda job, _: Cell(format_duration(job.spec.timeout_ms / 1000)), wide=True
        ),
        _JobColumn(
            Column("KEY"), lambda job, _: Cell(job.unique_key or ""), lambda job: job.unique_key is not None, wide=True
        ),
        _JobColumn(
            Column("BY"), lambda job, _: Cell(job.enqueued_by or ""), lambda job: job.enqueued_by is not None, wide=True
        ),
        _JobColumn(Column("TAGS"), lambda job, _: Cell(",".join(job.spec.tags)), lambda job: bool(job.spec.tags)),
        _JobColumn(Column("REASON"), lambda job, _: Cell(job.reason or ""), lambda job: job.reason is not None),
        _JobColumn(
            Column("ERROR", yields=True),
            lambda job, _: Cell(job.last.error or "" if job.last else "", "red"),
            lambda job: bool(job.last and job.last.error),
            wide=True,
        ),
        _JobColumn(Column("COMMAND", yields=True), lambda job, _: Cell(job.spec.command)),
        _JobColumn(
            Column("DESCRIPTION", yields=True),
            lambda job, _: Cell(job.spec.description or ""),
            lambda job: job.spec.description is not None,
            wide=True,
        ),
    )


def _waits(job: Job) -> bool:
    return job.state in (State.SCHEDULED, State.FAILED)


def print_jobs(session: Session, jobs: Iterable[Job], form: str, empty: str) -> None:
    """Print jobs in one of `command.FORMS`; `empty` is the hint where there are none."""
    if form == "json":
        write_json_array(map(job_document, jobs))
    elif form == "jsonl":
        write_json_lines(map(job_document, jobs))
    elif form == "id":
        for job in jobs:
            print(job.id)
    else:
        _print_table(session, list(jobs), wide=form == "wide", empty=empty)


def _print_table(session: Session, jobs: Sequence[Job], *, wide: bool, empty: str) -> None:
    if not jobs:
        session.hint(empty)
        return
    person = session.drawn(sys.stdout)
    moments = Moments(now_ms(), relative=person)
    columns = [
        each
        for each in _columns(person)
        if (wide or not each.wide) and (each.used is None or any(map(each.used, jobs)))
    ]
    rows = [[each.cell(job, moments) for each in columns] for job in jobs]
    print_table(session, [each.column for each in columns], rows)


def limited(jobs: Iterable[Job], limit: int) -> tuple[list[Job], bool]:
    """At most `limit` jobs, and whether there are more; `jobs` was asked for one more than that."""
    found = list(islice(jobs, limit + 1))
    return found[:limit], len(found) > limit
