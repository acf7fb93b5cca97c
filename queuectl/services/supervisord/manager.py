"""The private supervisord as a service manager: no root, nothing to install."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from signal import Signals

from queuectl.errors import ServiceError
from queuectl.services import tail
from queuectl.services.escalation import Escalation, Step
from queuectl.services.manager import Process, ProcessState, Site, WorkerUnit, log_file
from queuectl.services.supervisord import rpc as supervisor
from queuectl.services.supervisord import socket_place
from queuectl.services.supervisord.daemon import Daemon
from queuectl.services.supervisord.rendering import CONFIG_REFUSED, PREFIX, config_path, render, stop_wait
from queuectl.services.supervisord.rpc import Gone, Info, Rpc

POLL = 0.05
"""Seconds between two looks at what is stopping; a look takes a millisecond."""

MERCY = 15.0
"""Seconds beyond supervisord's own KILL."""

_STATES: Mapping[int, ProcessState] = {
    supervisor.STARTING: "starting",
    supervisor.RUNNING: "running",
    supervisor.BACKOFF: "starting",
    supervisor.STOPPING: "stopping",
    0: "stopped",
    200: "failed",
    1000: "failed",
}


class PrivateSupervisord:
    """A Manager. The programs that the daemon has are what it should have: its file follows them, and is never read."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._daemon = Daemon(site)

    def render(self, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
        return {config_path(self._site): render(self._site, units, socket_place.find(self._site))}

    def diff(self, units: Sequence[WorkerUnit]) -> str:
        lines: list[str] = []
        for path, text in self.render(units).items():
            try:
                with open(path, encoding="utf-8") as file:
                    before = file.readlines()
            except FileNotFoundError:
                before = []
            lines += difflib.unified_diff(before, text.splitlines(keepends=True), path, path)
        return "".join(lines)

    def install(self, units: Sequence[WorkerUnit]) -> None:  # noqa: ARG002
        raise self._not_installed()

    def uninstall(self) -> None:
        raise self._not_installed()

    def start(self, units: Sequence[WorkerUnit]) -> None:
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
        if self._daemon.is_running():
            self._stop(units, steps)
        self.start(units)

    def reload(self, units: Sequence[WorkerUnit]) -> None:
        self.signal(units, Signals.SIGHUP)

    def signal(self, units: Sequence[WorkerUnit], signum: Signals) -> None:
        with self._conversation() as rpc:
            if rpc is not None:
                for unit in units:
                    rpc.signal(_program(unit), signum)

    def status(self) -> list[Process]:
        found: dict[WorkerUnit, Info] = {}
        with self._conversation() as rpc:
            if rpc is not None:
                found = _units(rpc.programs())
        return [_process(unit, found[unit]) for unit in sorted(found)]

    def logs(self, unit: WorkerUnit, lines: int, follow: bool = False) -> Iterator[str]:
        path = log_file(self._site, unit)
        return tail.follow(path, lines) if follow else iter(tail.last_lines(path, lines))

    @contextmanager
    def _conversation(self) -> Iterator[Rpc | None]:
        """Speak to the daemon; None if there is none. That it ends meanwhile ends the block, and is no error."""
        rpc = self._daemon.connect()
        if rpc is None:
            yield None
            return
        with rpc:
            try:
                yield rpc
            except Gone:
                pass

    def _start(self, rpc: Rpc, wanted: set[WorkerUnit]) -> set[WorkerUnit]:
        """Start what isn't there; return those of which a former process is still stopping."""
        found = _units(rpc.programs())
        stopping = {unit for unit in wanted if unit in found and found[unit].state == supervisor.STOPPING}
        # One that exited to be restarted at once counts as stopped for that moment. It is taken up anew: just as well.
        absent = {unit for unit in wanted if unit not in found or found[unit].state in supervisor.STOPPED}
        if absent:
            self._daemon.write_config(found.keys() | wanted)
            rpc.reread()
        for unit in sorted(absent):
            # Anew, for its description may be another now. If it can't be removed, it was restarted in this moment.
            if rpc.remove(_program(unit)):
                rpc.add(_program(unit))
        return stopping

    def _stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step]) -> None:
        """Stop `units` and forget them; return when their processes are gone."""
        began = time.monotonic()
        left, told = set(units), set[WorkerUnit]()
        escalation = Escalation(steps)
        while left:
            # Locked for a moment at a time: a `stop --force` must be able to overtake a patient one.
            with self._daemon.lock(), self._conversation() as rpc:
                if rpc is None:
                    return
                found = _units(rpc.programs())
                gone = {unit for unit in left if unit not in found or self._gone(rpc, unit, found[unit], told)}
                left -= gone
                if gone:
                    self._daemon.write_config(_units(rpc.programs()))
                signum = escalation.due(time.monotonic() - began)
                if signum is not None:
                    for unit in left:
                        rpc.signal(_program(unit), signum)
            elapsed = time.monotonic() - began
            if left and elapsed > stop_wait(self._site) + MERCY:
                raise self._unstoppable(left, elapsed)
            if left:
                time.sleep(POLL)

    def _gone(self, rpc: Rpc, unit: WorkerUnit, info: Info, told: set[WorkerUnit]) -> bool:
        name = _program(unit)
        if info.state in supervisor.STOPPED:
            # Removed in one call, with no moment in which one that crashed just now is restarted.
            return rpc.remove(name)
        if info.state != supervisor.STOPPING:
            if unit in told:
                return True  # it stopped, and somebody started it again: theirs
            if rpc.stop(name):
                told.add(unit)
        return False

    def _unstoppable(self, units: set[WorkerUnit], elapsed: float) -> ServiceError:
        names = ", ".join(unit.name for unit in sorted(units))
        return ServiceError(
            f"still there {elapsed:.0f} s after they were told to stop: {names}",
            hint="supervisord goes on trying; a process in state D (ps) waits for a disk or a network file system",
        )

    def _not_installed(self) -> ServiceError:
        return ServiceError(
            f"the private supervisord of {self._site.home} has nothing to install: it starts with the first worker",
            hint="queuectl worker start",
        )


def _program(unit: WorkerUnit) -> str:
    return PREFIX + unit.name


def _units(programs: Sequence[Info]) -> dict[WorkerUnit, Info]:
    found: dict[WorkerUnit, Info] = {}
    for info in programs:
        unit = WorkerUnit.parse(info.name.removeprefix(PREFIX))
        if unit is not None and info.name.startswith(PREFIX):
            found[unit] = info
    return found


def _process(unit: WorkerUnit, info: Info) -> Process:
    state, detail = _STATES.get(info.state, "failed"), info.spawn_error
    if info.state == supervisor.EXITED:
        # With any other code it is between an exit and its restart.
        refused = info.exit_status == CONFIG_REFUSED
        state = "failed" if refused else "starting"
        detail = f"exit {info.exit_status}: it refused its configuration" if refused else detail
    started_at = None if info.started_at is None else info.started_at * 1000
    return Process(unit.name, unit.pool, unit.instance, state, info.pid, started_at, detail)
