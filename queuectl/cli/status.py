"""`queuectl status`, and `queuectl` alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

import click

from queuectl.cli.command import command, json_option
from queuectl.cli.output.document import Document, write_json
from queuectl.cli.output.facts import print_facts, print_title, styled
from queuectl.cli.output.jobs import STYLES
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.output.visible import visible
from queuectl.cli.output.workers import print_workers, worker_document
from queuectl.cli.session import Session
from queuectl.domain.durations import format_size
from queuectl.domain.states import State
from queuectl.errors import ServiceError
from queuectl.pools.control import Workers
from queuectl.pools.status import WorkerStatus, join
from queuectl.storage import queries

TROUBLE = 3
Counts = Mapping[str, Mapping[State, int]]


@command("status")
@click.option("--check", is_flag=True, help="Exit 3 if something is wrong, and say what.")
@json_option
@click.pass_obj
def status(session: Session, check: bool, as_json: bool) -> int:
    """\b
    Examples:
      queuectl status
      queuectl status --check || mail -s "queuectl on $(hostname)" admin

    Show how many jobs there are, and who works on them. --check is for a monitor. It finds: a queue with pending jobs
    and without a worker, a pool with fewer workers than it should have while some run, a worker that has failed or
    hangs, too little free space, dead jobs.
    """
    everything = queries.counts(session.queue.database)
    # The counters of a queue stay when its last job is gone; the queue, which is but a name on jobs, doesn't.
    counts = {queue: states for queue, states in everything.items() if any(states.values())}
    workers = _workers(session)
    found: list[str] = []
    if check:
        from queuectl.cli.health import troubles

        found = troubles(session, counts, workers)
    if as_json:
        document = _document(session, counts, workers)
        write_json({**document, "problems": found} if check else document)
    else:
        _print(session, counts, workers)
        if found:
            print_title(session, "Problems")
            for line in found:
                text = visible(line)
                print(styled(text, "red") if session.colored(sys.stdout) else text)
    return TROUBLE if found else 0


def _workers(session: Session) -> list[WorkerStatus]:
    try:
        return Workers(session.settings, session.place).status()
    except ServiceError as error:
        # The locks say who lives also where the service manager doesn't answer.
        session.note(f"the service manager doesn't answer: {error}")
        return join(session.settings, [], session.place.locks)


def _total(counts: Counts) -> dict[State, int]:
    return {state: sum(states[state] for states in counts.values()) for state in State}


def _size(session: Session) -> int:
    """Bytes of the database and of its log."""
    path = session.queue.database.path
    return sum(os.path.getsize(each) for each in (path, f"{path}-wal") if os.path.exists(each))


def _document(session: Session, counts: Counts, workers: Sequence[WorkerStatus]) -> Document:
    return {
        "jobs": {state.value: n for state, n in _total(counts).items()},
        "queues": [
            {"name": queue, **{state.value: n for state, n in states.items()}, "paused": False}
            for queue, states in counts.items()
        ],
        "workers": [worker_document(worker) for worker in workers],
        "database": {"url": f"sqlite:///{session.queue.database.path}", "size": _size(session)},
    }


def _print(session: Session, counts: Counts, workers: Sequence[WorkerStatus]) -> None:
    colored = session.colored(sys.stdout)
    total = _total(counts)
    wide = max(len(state) for state in State)
    for state, n in total.items():
        name = state.ljust(wide)
        print(f"{styled(name, STYLES[state]) if colored and n else name}  {n:>7,}")
    if len(counts) > 1 or any(queue != "default" for queue in counts):
        print_title(session, "Queues")
        _print_queues(session, counts)
    print_title(session, "Workers")
    if workers:
        print_workers(session, workers)
    print()
    database = session.queue.database.path
    print_facts(session, [("Database", Cell(f"sqlite:///{database} ({format_size(_size(session))})"))])
    if not any(total.values()):
        session.hint("the queue is empty: queuectl enqueue -- echo hello")
    elif total[State.PENDING] and not any(worker.pid for worker in workers):
        session.hint("no worker runs: queuectl worker start")
    elif total[State.DEAD]:
        session.hint("of the dead jobs: queuectl dlq list")


def _print_queues(session: Session, counts: Counts) -> None:
    used = [state for state in State if any(states[state] for states in counts.values())]
    columns = [Column("QUEUE"), *(Column(state.upper(), right=True) for state in used)]
    rows = [[Cell(queue), *(Cell(str(states[state])) for state in used)] for queue, states in counts.items()]
    print_table(session, columns, rows)
