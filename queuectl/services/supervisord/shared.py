"""The system's supervisord as a service manager: a file a worker, where it looks for programs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from queuectl.errors import ConfigError, Problem, ServiceError
from queuectl.services import tail
from queuectl.services.changes import Change
from queuectl.services.escalation import Step
from queuectl.services.manager import Process, Site, WorkerUnit
from queuectl.services.supervisord import limits, shared_place
from queuectl.services.supervisord import rpc as supervisor
from queuectl.services.supervisord.escaping import plain
from queuectl.services.supervisord.programs import POLL, Programs, program_name, unit_of, units_of
from queuectl.services.supervisord.rendering import PREFIX, program
from queuectl.services.supervisord.rpc import BAD_NAME, Refused, Rpc

_HEADER = """\
; Written by `queuectl service install` for {home}. What you change here is refused by the next one: change the YAML.
"""

_DRY_READ = "import sys; from supervisor.options import ServerOptions; ServerOptions().realize(['-c', sys.argv[1]])"
_PATIENCE = 30.0
_HERE = "%(here)s"


class SharedSupervisord(Programs):
    """A SystemManager."""

    kind = "supervisord"

    def __init__(self, site: Site, config: str) -> None:
        self._place = shared_place.read(config)
        super().__init__(site, lambda: Rpc.connect(self._place.socket), self._remove_if_scaled_away)

    def render(self, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
        limits.check(self._site, [self._site.pool(pool) for pool in sorted({unit.pool for unit in units})])
        return {self._file(unit): self._text(unit) for unit in sorted(set(units))}

    def owns(self, path: str) -> bool:
        directory, file = os.path.split(path)
        unit = unit_of(file.removesuffix(self._place.suffix))
        return directory == self._place.directory and unit is not None and self._file(unit) == path

    def is_roster(self, change: Change) -> bool:
        return change.before is None or change.after is None

    def verify(self, files: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory(prefix="queuectl-") as directory:
            for path, text in files.items():
                with open(f"{directory}/{os.path.basename(path)}", "w", encoding="utf-8") as file:
                    file.write(text)
            config = f"{directory}/supervisord.conf"
            with open(config, "w", encoding="utf-8") as file:
                file.write(f"[supervisord]\n[include]\nfiles = %(here)s/{PREFIX}*{self._place.suffix}\n")
            argv = [sys.executable, "-X", "utf8", "-c", _DRY_READ, config]
            done = subprocess.run(
                argv, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        if done.returncode != 0:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
            lines = [f"  {line.replace(f'{directory}/', '')}" for line in said or done.stderr.splitlines()[-3:]]
            raise ServiceError("\n".join(["supervisord doesn't like the programs, and nothing was done:", *lines]))

    def take_up(
        self,
        changes: Sequence[Change],  # noqa: ARG002
        units: Sequence[WorkerUnit],
        start: bool,
    ) -> Sequence[WorkerUnit]:
        # supervisord itself compares what runs with what the files say.
        if not start:
            return []
        with self._conversation() as rpc:
            if rpc is None:
                return []  # they start with it
            added, changed, removed = (
                [unit for name in names if (unit := unit_of(name))] for names in rpc.reread_changes()
            )
            found = units_of(rpc.programs())
        idle = {unit for unit in units if unit in found and found[unit].state in supervisor.STOPPED}
        self._stop([*changed, *removed], ())
        with self._conversation() as rpc:
            if rpc is not None:
                for unit in (*changed, *removed):
                    rpc.remove(program_name(unit))
                for unit in (*changed, *added):
                    rpc.add(program_name(unit))
        self.start(sorted(idle.difference(changed)))
        return sorted({*added, *changed, *idle})

    def withdraw(self) -> None:
        self._stop([process.unit for process in self.status()], ())

    def forget(self, paths: Collection[str]) -> None:
        units = [unit for path in paths if (unit := unit_of(os.path.basename(path).removesuffix(self._place.suffix)))]
        with self._conversation() as rpc:
            if rpc is not None:
                rpc.reread()
                for unit in units:
                    rpc.remove(program_name(unit))
        for unit in units:
            for rotated in ("", ".1", ".2", ".3"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._log(unit) + rotated)

    def start(self, units: Sequence[WorkerUnit]) -> None:
        waiting = set(units)
        while waiting:
            with self._conversation() as rpc:
                if rpc is None:
                    raise self._not_running()
                found = units_of(rpc.programs())
                for unit in sorted(waiting):
                    if unit not in found:
                        self._add(rpc, unit)
                        waiting.discard(unit)
                    elif found[unit].state in supervisor.STOPPED:
                        if rpc.start(program_name(unit)):
                            waiting.discard(unit)
                    elif found[unit].state != supervisor.STOPPING:
                        waiting.discard(unit)
            if waiting:  # for their former processes to end
                time.sleep(POLL)

    def stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        self._stop(units, steps)

    def restart(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        self._stop(units, steps)
        self.start(units)

    def status(self) -> list[Process]:
        return [process for process in self._found() if process.state != "stopped"]

    def logs(self, unit: WorkerUnit, lines: int, follow: bool = False) -> Iterator[str]:
        path = self._log(unit)
        return tail.follow(path, lines) if follow else iter(tail.last_lines(path, lines))

    def _remove_if_scaled_away(self, rpc: Rpc, unit: WorkerUnit) -> bool:
        # With a file it stays known, as `supervisorctl stop` leaves it.
        return os.path.exists(self._file(unit)) or rpc.remove(program_name(unit))

    def _add(self, rpc: Rpc, unit: WorkerUnit) -> None:
        rpc.reread()
        try:
            rpc.add(program_name(unit))
        except Refused as refused:
            if refused.code != BAD_NAME:
                raise
            raise ServiceError(
                f"supervisord knows no program {program_name(unit)}: {self._file(unit)} isn't there, or isn't included",
                hint="queuectl service install",
            ) from refused

    def _text(self, unit: WorkerUnit) -> str:
        site = self._site
        home = _quotable(plain(site.account_home, "the home directory of the service's user"))
        log = plain(self._log(unit), "the directory of supervisord's logs").replace("%", "%%")
        account = plain(site.account, "service.user")
        text = (
            program(site, unit, log).lstrip("\n")
            + f"user={account}\n"
            # supervisord changes the user, and leaves root's environment.
            + f'environment=HOME="{home}",USER="{account}",LOGNAME="{account}"\n'
        )
        if _HERE in text:
            raise ConfigError(
                [Problem(self._place.config, f"expected no path with {_HERE} in it, got one for worker {unit.name}")],
                hint="supervisord puts a directory in its place in files that it includes, however it is escaped",
            )
        return _HEADER.format(home=plain(site.home, "the home").replace("%%", "%")) + text

    def _file(self, unit: WorkerUnit) -> str:
        return f"{self._place.directory}/{PREFIX}{unit.name}{self._place.suffix}"

    def _log(self, unit: WorkerUnit) -> str:
        # Not in the home: root opens it, and would follow a link that the service's user laid there.
        return f"{self._place.logs}/{PREFIX}{unit.name}.log"

    def _not_running(self) -> ServiceError:
        return ServiceError(
            f"supervisord doesn't run: nobody listens at {self._place.socket}, which {self._place.config} names",
            hint="systemctl start supervisor",
        )


def _quotable(text: str) -> str:
    if any(character in text for character in "\"'\\"):
        raise ConfigError(
            [
                Problem(
                    "the home directory of the service's user", f"expected no quote or backslash in it, got {text!r}"
                )
            ],
            hint="supervisord's environment= can't hold it; give the user another home directory",
        )
    return text
