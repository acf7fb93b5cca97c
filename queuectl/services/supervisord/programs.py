"""Workers as programs of a supervisord that runs, whosever it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from signal import Signals

from queuectl.errors import ServiceError
from queuectl.services.escalation import Escalation, Step
from queuectl.services.manager import CONFIG_REFUSED, Process, ProcessState, Site, WorkerUnit, stop_wait
from queuectl.services.supervisord import rpc as supervisor
from queuectl.services.supervisord.rendering import PREFIX
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


class Programs:
    """What the private supervisord and the system's have in common; they differ in whose the configuration is."""

    def __init__(
        self, site: Site, connect: Callable[[], Rpc | None], let_go: Callable[[Rpc, WorkerUnit], bool]
    ) -> None:
        """`connect` gives a connection to the daemon, None if there is none. `let_go` is done with a program that has
        stopped, and gives False if it runs again in this moment."""
        self._site = site
        self._connect = connect
        self._let_go = let_go

    def reload(self, units: Sequence[WorkerUnit]) -> None:
        self.signal(units, Signals.SIGHUP)

    def signal(self, units: Sequence[WorkerUnit], signum: Signals) -> None:
        with self._conversation() as rpc:
            if rpc is not None:
                for unit in units:
                    rpc.signal(program_name(unit), signum)

    @contextmanager
    def _changing(self) -> Iterator[Rpc | None]:
        """A conversation for one change."""
        with self._conversation() as rpc:
            yield rpc

    @contextmanager
    def _conversation(self) -> Iterator[Rpc | None]:
        """Speak to the daemon; None if there is none. That it ends meanwhile ends the block, and is no error."""
        rpc = self._connect()
        if rpc is None:
            yield None
            return
        with rpc:
            try:
                yield rpc
            except Gone:
                pass

    def _found(self) -> list[Process]:
        found: dict[WorkerUnit, Info] = {}
        with self._conversation() as rpc:
            if rpc is not None:
                found = units_of(rpc.programs())
        return [process_of(unit, found[unit]) for unit in sorted(found)]

    def _stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step]) -> None:
        """Stop `units`; return when their processes are gone."""
        began = time.monotonic()
        left, told = set(units), set[WorkerUnit]()
        escalation = Escalation(steps)
        while left:
            # For a moment at a time: a `stop --force` must be able to overtake a patient one.
            with self._changing() as rpc:
                if rpc is None:
                    return
                found = units_of(rpc.programs())
                left -= {unit for unit in left if unit not in found or self._gone(rpc, unit, found[unit], told)}
                signum = escalation.due(time.monotonic() - began)
                if signum is not None:
                    for unit in left:
                        rpc.signal(program_name(unit), signum)
            elapsed = time.monotonic() - began
            if left and elapsed > stop_wait(self._site) + MERCY:
                raise _unstoppable(left, elapsed)
            if left:
                time.sleep(POLL)

    def _gone(self, rpc: Rpc, unit: WorkerUnit, info: Info, told: set[WorkerUnit]) -> bool:
        if info.state in supervisor.STOPPED:
            return self._let_go(rpc, unit)
        if info.state != supervisor.STOPPING:
            if unit in told:
                return True  # it stopped, and somebody started it again: theirs
            if rpc.stop(program_name(unit)):
                told.add(unit)
        return False


def program_name(unit: WorkerUnit) -> str:
    return PREFIX + unit.name


def units_of(programs: Sequence[Info]) -> dict[WorkerUnit, Info]:
    """Those of the programs that are workers."""
    found: dict[WorkerUnit, Info] = {}
    for info in programs:
        unit = unit_of(info.name)
        if unit is not None:
            found[unit] = info
    return found


def unit_of(program: str) -> WorkerUnit | None:
    """The worker that a program is; None if it is none."""
    return WorkerUnit.parse(program.removeprefix(PREFIX)) if program.startswith(PREFIX) else None


def process_of(unit: WorkerUnit, info: Info) -> Process:
    state, detail = _STATES.get(info.state, "failed"), info.spawn_error
    if info.state == supervisor.EXITED:
        # With any other code it is between an exit and its restart.
        refused = info.exit_status == CONFIG_REFUSED
        state = "failed" if refused else "starting"
        detail = f"exit {info.exit_status}: it refused its configuration or its database" if refused else detail
    started_at = None if info.started_at is None else info.started_at * 1000
    return Process(unit.name, unit.pool, unit.instance, state, info.pid, started_at, detail)


def _unstoppable(units: set[WorkerUnit], elapsed: float) -> ServiceError:
    names = ", ".join(unit.name for unit in sorted(units))
    return ServiceError(
        f"still there {elapsed:.0f} s after they were told to stop: {names}",
        hint="supervisord goes on trying; a process in state D (ps) waits for a disk or a network file system",
    )
