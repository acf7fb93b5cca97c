"""systemd as a service manager: template units, an instance a worker."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from signal import Signals

from queuectl.domain.clock import now_ms
from queuectl.errors import ServiceError
from queuectl.services.changes import Change
from queuectl.services.escalation import Escalation, Step
from queuectl.services.manager import CONFIG_REFUSED, Process, ProcessState, Site, WorkerUnit, stop_wait
from queuectl.services.systemd import rendering
from queuectl.services.systemd.rendering import PREFIX, SLICE, TARGET, name, parse, template
from queuectl.services.systemd.scope import Scope
from queuectl.services.systemd.systemctl import Systemctl, is_booted

POLL = 0.1
"""Seconds between two looks at what is stopping; a look takes 20 ms."""

MERCY = 15.0
"""Seconds beyond systemd's own KILL."""

_PATTERN = f"{PREFIX}*@*.service"
_PROPERTIES = (
    *("Id", "ActiveState", "SubState", "MainPID", "ExecMainStartTimestampMonotonic", "ExecMainStatus", "Result"),
    *("LoadState", "StatusText"),
)
_STATES: Mapping[str, ProcessState] = {
    "active": "running",
    "reloading": "running",
    "activating": "starting",
    "deactivating": "stopping",
    "inactive": "stopped",
    "failed": "failed",
}


class Systemd:
    """A SystemManager."""

    def __init__(self, site: Site, scope: Scope) -> None:
        self._site = site
        self._scope = scope
        self._systemctl = Systemctl(scope, site.home)

    @property
    def kind(self) -> str:
        return self._scope.kind

    def render(self, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
        return rendering.render(self._site, self._scope, units)

    def owns(self, path: str) -> bool:
        directory, file = os.path.split(path)
        pool = file.removeprefix(PREFIX).removesuffix("@.service")
        return directory == self._scope.directory and file in (TARGET, SLICE, template(pool))

    def is_roster(self, change: Change) -> bool:
        return os.path.basename(change.path) == TARGET

    def verify(self, files: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory(prefix="queuectl-") as directory:
            paths = []
            for path, text in files.items():
                paths.append(f"{directory}/{os.path.basename(path)}")
                with open(paths[-1], "w", encoding="utf-8") as file:
                    file.write(text)
            said = self._systemctl.verify(paths)
        if said:
            lines = [f"  {line.replace(f'{directory}/', '')}" for line in said]
            raise ServiceError("\n".join(["systemd doesn't like the units, and nothing was done:", *lines]))

    def take_up(self, changes: Sequence[Change], units: Sequence[WorkerUnit], start: bool) -> Sequence[WorkerUnit]:
        if not self._scope.person and not is_booted():
            self._systemctl("enable", TARGET)  # in an image that is being built it makes a link, and no more
            return []
        found = self.status()
        before = {process.unit for process in found}
        failed = {process.unit for process in found if process.state == "failed"}
        changed = {os.path.basename(change.path): change for change in changes}
        gone = {unit for unit in before if (its := changed.get(template(unit.pool))) and its.after is None}
        self.stop(sorted(gone))
        if changes:
            self._systemctl("daemon-reload")
        if TARGET in changed:
            self._systemctl("enable", TARGET)
        if not start:
            return []
        self.stop(sorted(before - gone - set(units)))
        again = [unit for unit in units if unit in before - failed and template(unit.pool) in changed]
        new = [unit for unit in units if unit not in before or unit in failed]
        self.restart(again)
        self.start(new)
        if units and not self._is_active(TARGET):
            self._systemctl("start", "--no-block", TARGET)
        return sorted({*again, *new})

    def withdraw(self) -> None:
        if self._scope.person or is_booted():
            self.stop([process.unit for process in self.status()])
            for unit in (TARGET, SLICE):
                if self._is_active(unit):
                    self._systemctl("stop", unit)
        if os.path.exists(f"{self._scope.directory}/{TARGET}"):
            self._systemctl("disable", TARGET)

    def forget(self, paths: Collection[str]) -> None:
        if paths and (self._scope.person or is_booted()):
            self._systemctl("daemon-reload")
        if self._scope.person:  # ~/.config/systemd/user, which most people don't have: as far as nothing else is in it
            with contextlib.suppress(OSError):
                os.removedirs(self._scope.directory)

    def start(self, units: Sequence[WorkerUnit]) -> None:
        if units:
            self._systemctl("start", "--no-block", "--", *map(name, units))

    def stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        began = time.monotonic()
        left = set(units)
        escalation = Escalation(steps)
        if left:
            # Each by name: the target alone would be down long before its workers are.
            self._systemctl("stop", "--no-block", "--", *map(name, sorted(left)))
        while left:
            known = {process.unit: process for process in self._processes()}
            left = {unit for unit in left if unit in known and known[unit].state in ("stopping", "running", "starting")}
            elapsed = time.monotonic() - began
            signum = escalation.due(elapsed)
            if signum is not None:
                self.signal(sorted(left), signum)
            if left and elapsed > stop_wait(self._site) + MERCY:
                raise self._unstoppable(left, elapsed)
            if left:
                time.sleep(POLL)
        self._pardon(units)

    def restart(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        self.stop(units, steps)
        self.start(units)

    def reload(self, units: Sequence[WorkerUnit]) -> None:
        running = {process.unit for process in self.status() if process.pid is not None}
        told = [name(unit) for unit in units if unit in running]
        if told:
            self._systemctl("reload", "--no-block", "--", *told)

    def signal(self, units: Sequence[WorkerUnit], signum: Signals) -> None:
        running = {process.unit for process in self.status() if process.pid is not None}
        for unit in units:
            if unit in running:
                try:
                    # --kill-who: --kill-whom is newer than many a server, and both are understood.
                    self._systemctl("kill", "--kill-who=main", f"--signal={signum.name}", "--", name(unit))
                except ServiceError:
                    if any(process.unit == unit and process.pid for process in self.status()):
                        raise
                    # else it ended in this moment

    def status(self) -> list[Process]:
        return [process for process in self._processes() if process.state != "stopped"]

    def logs(self, unit: WorkerUnit, lines: int, follow: bool = False) -> Iterator[str]:
        return self._systemctl.journal(name(unit), lines, follow)

    def _processes(self) -> list[Process]:
        """All workers whose units systemd has in memory, also those that the target wants and nobody started."""
        if not self._scope.person and not is_booted():
            return []
        found = []
        for properties in self._systemctl.show(_PATTERN, _PROPERTIES):
            unit = parse(properties.get("Id", ""))
            if unit is not None:
                found.append(_process(unit, properties))
        return sorted(found)

    def _is_active(self, unit: str) -> bool:
        return self._systemctl.show(unit, ["ActiveState"]) == [{"ActiveState": "active"}]

    def _pardon(self, units: Sequence[WorkerUnit]) -> None:
        """One that was killed while it stopped has failed, to systemd: but this end was asked for."""
        known = {process.unit for process in self._processes() if process.state == "failed"}
        failed = [name(unit) for unit in units if unit in known]
        if failed:
            self._systemctl("reset-failed", "--", *failed)

    def _unstoppable(self, units: set[WorkerUnit], elapsed: float) -> ServiceError:
        names = ", ".join(unit.name for unit in sorted(units))
        return ServiceError(
            f"still there {elapsed:.0f} s after they were told to stop: {names}",
            hint="systemd goes on trying; a process in state D (ps) waits for a disk or a network file system",
        )


def _process(unit: WorkerUnit, properties: Mapping[str, str]) -> Process:
    state = _STATES.get(properties["ActiveState"], "failed")
    pid = int(properties["MainPID"]) or None
    detail = properties.get("StatusText", "") if pid else ""
    if state == "failed" or properties["SubState"] == "auto-restart":
        status = properties["ExecMainStatus"]
        refused = status == str(CONFIG_REFUSED)
        detail = f"{properties['Result']}, {status}" + (
            ": it refused its configuration or its database" if refused else ""
        )
    started_at = _since_epoch(int(properties["ExecMainStartTimestampMonotonic"])) if pid else None
    return Process(unit.name, unit.pool, unit.instance, state, pid, started_at, detail)


def _since_epoch(monotonic: int) -> int:
    """Milliseconds since the epoch, of microseconds since the boot: how the other timestamps are written depends on the
    version and on the locale."""
    return now_ms() - (time.monotonic_ns() // 1000 - monotonic) // 1000
