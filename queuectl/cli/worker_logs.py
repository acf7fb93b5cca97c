"""What workers say of themselves, of one or of all at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from queuectl.cli.output.visible import visible
from queuectl.cli.session import Session
from queuectl.errors import UsageError
from queuectl.pools.choice import choose_manager
from queuectl.pools.control import Workers
from queuectl.services.manager import Manager, WorkerUnit


def print_logs(session: Session, name: str | None, follow: bool, lines: int) -> None:
    """Print the last `lines` lines of the worker `name`, or of all; with `follow`, those to come.

    Raises:
        UsageError: no worker has that name.
    """
    manager = choose_manager(session.settings, session.place)
    if name is not None:
        unit = WorkerUnit.parse(name)
        if unit is None:
            raise UsageError(f"expected a worker's name, like default-0, got {name!r}", hint="queuectl worker status")
        if unit not in _known(session, manager) and not any(manager.logs(unit, 1)):
            raise UsageError(f"no worker {name!r}, and no log of one", hint="queuectl worker status")
        units = [unit]
    else:
        units = _known(session, manager)
    if follow:
        _follow(manager, units, lines)
        return
    for unit in units:
        for line in manager.logs(unit, lines):
            _print(unit, line, len(units) > 1)


def _known(session: Session, manager: Manager) -> list[WorkerUnit]:
    """The workers that run, or should."""
    status = Workers(session.settings, session.place, manager).status()
    return [WorkerUnit.parse(worker.name) or WorkerUnit(worker.pool, 0) for worker in status]


def _follow(manager: Manager, units: Sequence[WorkerUnit], lines: int) -> None:
    def each(unit: WorkerUnit) -> None:
        for line in manager.logs(unit, lines, follow=True):
            _print(unit, line, len(units) > 1)
            sys.stdout.flush()

    # Each log is an endless iterator. The threads end with the process, by Ctrl-C.
    for unit in units[1:]:
        threading.Thread(target=each, args=(unit,), daemon=True).start()
    if units:
        each(units[0])


def _print(unit: WorkerUnit, line: str, several: bool) -> None:
    sys.stdout.write(f"{unit.name}: {visible(line)}\n" if several else f"{visible(line)}\n")
