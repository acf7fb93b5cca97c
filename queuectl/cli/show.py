"""`queuectl show`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from queuectl.cli.command import command, json_option
from queuectl.cli.output.attempt_file import AttemptFile
from queuectl.cli.output.document import job_with_attempts, text, write_json
from queuectl.cli.output.facts import print_facts, print_title
from queuectl.cli.output.jobs import STYLES, state_cell
from queuectl.cli.output.moments import Moments
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.output.visible import visible
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration, format_size
from queuectl.domain.job import MAX_TAIL, Attempt, Job
from queuectl.domain.states import State

_TAIL_LINES = 20


@command("show")
@click.argument("id")
@click.option("--env", "unmasked", is_flag=True, help="Show the values of its environment, too: they may be secrets.")
@json_option
@click.pass_obj
def show(session: Session, id: str, unmasked: bool, as_json: bool) -> None:  # noqa: A002
    """\b
    Examples:
      queuectl show nightly-backup
      queuectl show b4k --json

    Show a job, all its executions, and the end of what the last one wrote. Of its environment only the names are
    shown, here and wherever a job is printed, unless --env asks for the values.
    """
    print_job(session, id, as_json, unmasked=unmasked)


def print_job(session: Session, job_id: str, as_json: bool, *, unmasked: bool = False) -> None:
    """Print all that is known of a job, the values of its environment only `unmasked`.

    Raises:
        NoSuchJob, AmbiguousId: there is none; there are several.
    """
    job = session.queue.get(job_id)
    attempts = session.queue.attempts(job.id)
    if as_json:
        write_json(job_with_attempts(job, attempts, unmasked=unmasked))
        return
    person = session.drawn(sys.stdout)
    moments = Moments(now_ms(), relative=person)
    print_facts(session, _facts(job, moments, person, unmasked))
    if attempts:
        print_title(session, "Executions")
        _print_attempts(session, attempts, moments)
    if job.last and (tail := _end_of_output(session, job.id, job.last)):
        print_title(session, "The end of the output")
        for line in tail.splitlines()[-_TAIL_LINES:]:
            print(f"  {visible(line)}")


def _end_of_output(session: Session, job_id: str, last: Attempt) -> str:
    """What the database has of it; of one that runs, what is in the file."""
    if last.finished_at is not None:
        return text(last.tail) or ""
    file = AttemptFile.open(session.queue.output_path(job_id, last.number))
    if file is None:
        return ""
    file.to_last_lines(_TAIL_LINES)
    blocks = list(file.read())
    file.close()
    return text(b"".join(blocks)[-MAX_TAIL:]) or ""


def _facts(job: Job, moments: Moments, person: bool, unmasked: bool) -> list[tuple[str, Cell]]:
    spec = job.spec
    env = spec.env or {}
    waits = job.state in (State.SCHEDULED, State.FAILED)
    retry = f", {format_duration(spec.backoff_max_ms / 1000)} at most, ± {spec.backoff_jitter:.0%}"
    return [
        ("Job", Cell(job.id, "bold")),
        ("State", state_cell(job, with_exit=person)),
        ("Reason", Cell(job.reason or "")),
        ("Error", Cell(job.last.error or "" if job.last else "", "red")),
        ("Command", Cell(spec.command)),
        ("Shell", Cell("no: a program with its arguments" if spec.argv else "/bin/sh")),
        ("Description", Cell(spec.description or "")),
        ("Queue", Cell(job.queue)),
        ("Priority", Cell(str(job.priority) if job.priority else "")),
        ("Tags", Cell(", ".join(spec.tags))),
        ("Key", Cell(job.unique_key or "")),
        ("Directory", Cell(spec.cwd)),
        ("Environment", Cell(", ".join(f"{name}={value}" if unmasked else name for name, value in env.items()))),
        ("Variables from", Cell(spec.env_file or "")),
        ("Input", Cell(f"{len(spec.stdin.encode())} bytes" if spec.stdin else "")),
        ("Timeout", Cell(format_duration(spec.timeout_ms / 1000) if spec.timeout_ms else "none")),
        ("Executions", Cell(f"{job.attempts} of {job.max_retries + 1}")),
        ("Retry after", Cell(f"{spec.backoff_base:g} ** n seconds{retry}" if job.max_retries else "")),
        ("Not after exit", Cell(", ".join(map(str, spec.no_retry_exit_codes)))),
        ("Output limit", Cell(format_size(spec.output_limit))),
        ("Queued", Cell(moments.show(job.created_at))),
        ("By", Cell(job.enqueued_by or "")),
        ("Changed", Cell(moments.show(job.updated_at))),
        ("Due", Cell(moments.show(job.run_at) if waits else "")),
        ("To be cancelled", Cell(moments.show(job.cancel_requested_at) if job.state is State.PROCESSING else "")),
        ("Ended", Cell(moments.show(job.finished_at), STYLES[job.state])),
    ]


def _print_attempts(session: Session, attempts: Sequence[Attempt], moments: Moments) -> None:
    columns = [
        Column("N", right=True),
        Column("OUTCOME"),
        Column("EXIT", right=True),
        Column("STARTED"),
        Column("RAN", right=True),
        Column("CPU", right=True),
        Column("MEMORY", right=True),
        Column("OUTPUT", right=True),
        Column("WORKER"),
        Column("PID", right=True),
        Column("ERROR", yields=True),
    ]
    rows = [_attempt_cells(attempt, moments) for attempt in attempts]
    used = [index for index in range(len(columns)) if any(row[index].text for row in rows)]
    print_table(session, [columns[index] for index in used], [[row[index] for index in used] for row in rows])


def _attempt_cells(attempt: Attempt, moments: Moments) -> list[Cell]:
    end = moments.now if attempt.finished_at is None else attempt.finished_at
    cpu = None if attempt.cpu_user is None else attempt.cpu_user + (attempt.cpu_system or 0)
    exit_or_signal = "" if attempt.exit_code is None else str(attempt.exit_code)
    if attempt.signal is not None:
        exit_or_signal = f"signal {attempt.signal}"
    return [
        Cell(str(attempt.number)),
        Cell(str(attempt.outcome) if attempt.outcome else "running"),
        Cell(exit_or_signal),
        Cell(moments.show(attempt.started_at)),
        Cell(format_duration(max(0, end - attempt.started_at) / 1000)),
        Cell("" if cpu is None else f"{cpu:.2f}s"),
        Cell("" if attempt.max_rss is None else format_size(attempt.max_rss)),
        Cell("" if attempt.output_size is None else format_size(attempt.output_size)),
        Cell(attempt.worker),
        Cell("" if attempt.pid is None else str(attempt.pid)),
        Cell(attempt.error or "", "red"),
    ]
