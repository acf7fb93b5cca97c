"""The private supervisord as a service manager: no root, nothing to install."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from queuectl.services import tail
from queuectl.services.escalation import Step
from queuectl.services.manager import Process, Site, WorkerUnit, log_file
from queuectl.services.supervisord import limits, socket_place
from queuectl.services.supervisord import rpc as supervisor
from queuectl.services.supervisord.daemon import Daemon
from queuectl.services.supervisord.programs import POLL, Programs, program_name, units_of
from queuectl.services.supervisord.rendering import config_path, render
from queuectl.services.supervisord.rpc import Rpc


class PrivateSupervisord(Programs):
    """A Manager. The programs that the daemon has are what it should have: its file follows them, and is never read."""

    def __init__(self, site: Site) -> None:
        self._daemon = Daemon(site)
        super().__init__(site, self._daemon.connect, self._remove)

    def render(self, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
        self._check(units)
        return {config_path(self._site): render(self._site, units, socket_place.find(self._site))}

    def start(self, units: Sequence[WorkerUnit]) -> None:
        self._check(units)
        waiting = set(units)
        while waiting:
            with self._daemon.lock():
                rpc = self._daemon.connect()
                if rpc is None:
                    self._daemon.launch(waiting)
                    return
                with rpc:
                    waiting = self._start(rpc, waiting)
            if waiting:  # for their former processes to end
                time.sleep(POLL)

    def stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        if not self._daemon.is_running():  # the lock would make the home
            return
        self._stop(units, steps)
        with self._daemon.lock(), self._conversation() as rpc:
            if rpc is not None and not rpc.programs():
                self._daemon.end(rpc)

    def restart(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        self._check(units)
        if self._daemon.is_running():
            self._stop(units, steps)
        self.start(units)

    def status(self) -> list[Process]:
        return self._found()

    def logs(self, unit: WorkerUnit, lines: int, follow: bool = False) -> Iterator[str]:
        path = log_file(self._site, unit)
        return tail.follow(path, lines) if follow else iter(tail.last_lines(path, lines))

    @contextmanager
    def _changing(self) -> Iterator[Rpc | None]:
        with self._daemon.lock(), self._conversation() as rpc:
            yield rpc

    def _remove(self, rpc: Rpc, unit: WorkerUnit) -> bool:
        # In one call, with no moment in which one that crashed just now is restarted.
        if not rpc.remove(program_name(unit)):
            return False
        self._daemon.write_config(units_of(rpc.programs()))
        return True

    def _start(self, rpc: Rpc, wanted: set[WorkerUnit]) -> set[WorkerUnit]:
        """Start what isn't there; return those of which a former process is still stopping."""
        found = units_of(rpc.programs())
        stopping = {unit for unit in wanted if unit in found and found[unit].state == supervisor.STOPPING}
        # One that exited to be restarted at once counts as stopped for that moment. It is taken up anew: just as well.
        absent = {unit for unit in wanted if unit not in found or found[unit].state in supervisor.STOPPED}
        if absent:
            self._daemon.write_config(found.keys() | wanted)
            rpc.reread()
        for unit in sorted(absent):
            # Anew, for its description may be another now. If it can't be removed, it was restarted in this moment.
            if rpc.remove(program_name(unit)):
                rpc.add(program_name(unit))
        return stopping

    def _check(self, units: Iterable[WorkerUnit]) -> None:
        limits.check(self._site, [self._site.pool(pool) for pool in sorted({unit.pool for unit in units})])
