"""Workers as a table and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from queuectl.cli.output.document import Document, time
from queuectl.cli.output.moments import Moments, coarse
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_size
from queuectl.pools.status import WorkerStatus

_STYLES = {"running": "green", "starting": "cyan", "draining": "yellow", "stopping": "yellow", "failed": "bold red"}


def worker_document(worker: WorkerStatus) -> Document:
    """A worker; one that doesn't run has pid null."""
    return {**worker._asdict(), "beat_at": time(worker.beat_at)}


def print_workers(session: Session, workers: Sequence[WorkerStatus]) -> None:
    """Print them as a table."""
    moments = Moments(now_ms(), relative=session.drawn(sys.stdout))
    columns = [
        Column("WORKER"),
        Column("STATE"),
        Column("PID", right=True),
        Column("UP", right=True),
        Column("RUNNING", right=True),
        Column("DONE", right=True),
        Column("MEMORY", right=True),
        Column("CPU", right=True),
        Column("BEAT"),
    ]
    print_table(session, columns, [_cells(worker, moments) for worker in workers])


def _cells(worker: WorkerStatus, moments: Moments) -> list[Cell]:
    return [
        Cell(worker.name, "bold"),
        Cell(worker.state, _STYLES.get(worker.state, "dim")),
        _number(worker.pid),
        Cell("" if worker.uptime is None else coarse(worker.uptime)),
        _number(worker.running),
        _number(worker.done),
        Cell("" if worker.rss is None else format_size(worker.rss)),
        Cell("" if worker.cpu is None else f"{worker.cpu:.1f}s"),
        Cell(moments.show(worker.beat_at)),
    ]


def _number(value: int | None) -> Cell:
    return Cell("" if value is None else str(value))
