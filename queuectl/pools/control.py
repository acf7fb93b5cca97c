"""What one does to workers: start, stop, restart, reload, scale."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterable, Sequence
from signal import Signals

from queuectl.config import edit
from queuectl.config.installation import Installation, create
from queuectl.config.layers import load
from queuectl.config.ownership import is_guest
from queuectl.config.sharing import share
from queuectl.domain.settings import Settings
from queuectl.errors import ConfigError, ServiceError, UsageError
from queuectl.pools.choice import choose_manager, described
from queuectl.pools.readiness import records, wait_idle, wait_ready, wait_reloaded
from queuectl.pools.status import WorkerStatus, join
from queuectl.services import manifest
from queuectl.services.escalation import Step
from queuectl.services.installing import settle
from queuectl.services.manager import Manager, SystemManager, WorkerUnit

DEFAULT = "default"

KILL_AFTER = 5.0
"""Seconds that a worker has to kill its jobs and give them back before it is killed itself."""


class Workers:
    """The workers of an installation, through its service manager. Each method raises ServiceError if that fails.

    A worker that runs in the foreground is seen by `status`, and left alone by all else: whoever started it ends it.
    """

    def __init__(self, settings: Settings, installation: Installation, manager: Manager | None = None) -> None:
        self._settings = settings
        self._installation = installation
        self._manager = choose_manager(settings, installation) if manager is None else manager

    def start(self, pool: str | None = None, count: int | None = None) -> list[str]:
        """Bring each pool to its number, or `pool` alone; `count` says another number than the settings do, for the
        pool `default` unless named. What runs already is left alone, above the number the highest are stopped, and on
        return all are ready. The names of the workers that should now run.

        Raises:
            UsageError: no such pool, or more workers than `max_workers`.
        """
        if pool is None and count is not None:
            pool = DEFAULT
        names = list(self._settings.pools) if pool is None else [pool]
        return self._bring({name: self._number(name, count) for name in names})

    def scale(self, pool: str, count: int) -> list[str]:
        """Bring `pool` to `count` workers: start or drain just the difference, the highest numbers first.

        Raises:
            UsageError: no such pool, or more workers than `max_workers`.
        """
        return self.start(pool, count)

    def stop(
        self,
        pool: str | None = None,
        names: Sequence[str] = (),
        force: bool = False,
        timeout: float | None = None,
    ) -> list[str]:
        """Stop all workers, those of `pool`, or those named, and return when they are gone; the names of those stopped.

        Jobs get `shutdown_timeout` to end, or `timeout` seconds, and none with `force`; what didn't end is given back.

        Raises:
            UsageError: no such pool or worker.
        """
        units = self._select(pool, names)
        if units:
            self._manager.stop(units, self._steps(units, force, timeout))
        if not names:
            self._forget_scaling(pool)
        return [unit.name for unit in units]

    def restart(self, pool: str | None = None, names: Sequence[str] = (), *, rolling: bool = False) -> list[str]:
        """Stop workers as `stop` does and start them again; on return they are ready.

        `rolling` does it to one after the other, each once the one before is ready, and leaves the rest as they are
        where one doesn't get ready: most of a pool always serves.

        Raises:
            UsageError: no such pool or worker.
        """
        units = self._select(pool, names)
        self._share(units)
        turns = [[unit] for unit in units] if rolling else [units] if units else []
        for turn in turns:
            self._manager.restart(turn)
            wait_ready(self._manager, self._installation.locks, turn)
        return [unit.name for unit in units]

    def reload(self, pool: str | None = None, names: Sequence[str] = ()) -> list[str]:
        """Have workers take a new configuration or program, while their jobs run on; returns when they have.

        Raises:
            UsageError: no such pool or worker.
            ServiceError: one has refused to, and goes on as it was.
        """
        units = self._select(pool, names)
        self._share(units)
        locks = self._installation.locks
        before = {unit: record for unit, record in records(locks).items() if unit in units}
        self._manager.reload(units)
        wait_reloaded(self._manager, locks, before)
        return [unit.name for unit in units]

    def status(self) -> list[WorkerStatus]:
        """All workers that run, or should: those of the manager, those that hold a lock, those of the settings."""
        try:
            processes = self._manager.status()
        except ServiceError:
            # Our own supervisord answers its owner alone; a guest sees what the workers say of themselves.
            if not is_guest(self._installation.home):
                raise
            processes = []
        return join(self._settings, processes, self._installation.locks)

    def _bring(self, targets: dict[str, int]) -> list[str]:
        known = self._known()
        self._check_total(targets, known)
        system = self._manager if isinstance(self._manager, SystemManager) else None
        keep: list[WorkerUnit] = []
        surplus: list[WorkerUnit] = []
        for pool, count in targets.items():
            mine = [unit for unit in known if unit.pool == pool]
            if system is not None:  # its files name the workers, and the settings say a number
                wanted = [WorkerUnit(pool, number) for number in range(count)]
                surplus += [unit for unit in mine if unit not in wanted]
                keep += wanted
                continue
            keep += mine[:count]
            surplus += mine[count:]
            free = (unit for number in range(count) if (unit := WorkerUnit(pool, number)) not in mine)
            keep += [next(free) for _ in range(count - len(mine))]
        if system is not None:
            others = [unit for unit in described(self._settings) if unit.pool not in targets]
            settle(system, self._installation.home, [*keep, *others])
        if keep:
            create(self._installation)
            share(self._installation, self._settings)
            self._manager.start(keep)
            wait_ready(self._manager, self._installation.locks, keep)
        if surplus:
            self._manager.stop(surplus)
        return [unit.name for unit in sorted(keep)]

    def _share(self, units: Sequence[WorkerUnit]) -> None:
        """Here, and not by the workers alone: a supervisord that runs doesn't know of a group that was made since."""
        if units:
            share(self._installation, self._settings)

    def _forget_scaling(self, pool: str | None) -> None:
        """What `--count` and `scale` said was for as long as these workers run: at the next start, and the next boot,
        the YAML counts."""
        key = "pools" if pool is None else f"pools.{pool}.workers"
        if not edit.unset_value(self._installation, key, edit.SCALE_FILE):
            return
        if isinstance(self._manager, SystemManager) and manifest.load(self._installation.home) is not None:
            try:
                settings = load(self._installation, os.environ).settings
            except ConfigError:
                return  # a broken configuration must not keep anybody from stopping workers
            settle(self._manager, self._installation.home, described(settings))

    def _known(self) -> list[WorkerUnit]:
        return sorted(process.unit for process in self._manager.status())

    def _number(self, pool: str, count: int | None) -> int:
        if pool not in self._settings.pools:
            raise _unknown("pool", pool, self._settings.pools)
        if count is None:
            return self._settings.pools[pool].workers
        if count < 0:
            raise UsageError(f"expected a number of workers from 0 on, got {count}")
        return count

    def _check_total(self, targets: dict[str, int], known: Iterable[WorkerUnit]) -> None:
        others = sum(unit.pool not in targets for unit in known)
        total = sum(targets.values()) + others
        if total > self._settings.max_workers:
            each = ", ".join(f"{pool} {count}" for pool, count in targets.items() if count)
            beside = f", and {others} of other pools" if others else ""
            raise UsageError(
                f"expected at most max_workers = {self._settings.max_workers} workers in all pools together, "
                f"got {total} ({each}{beside})",
                hint=f"start fewer, or: queuectl config set max_workers {total}",
            )

    def _select(self, pool: str | None, names: Sequence[str]) -> list[WorkerUnit]:
        """Those known to the manager that are asked for; all, if nothing is."""
        known = self._known()
        pools = {*self._settings.pools, *(unit.pool for unit in known)}
        if pool is not None and pool not in pools:
            raise _unknown("pool", pool, pools)
        for name in names:
            unit = WorkerUnit.parse(name)
            if unit is None or unit.pool not in pools:
                raise _unknown("worker", name, [each.name for each in known])
        return [unit for unit in known if (pool is None or unit.pool == pool) and (not names or unit.name in names)]

    def _steps(self, units: Sequence[WorkerUnit], force: bool, timeout: float | None) -> Sequence[Step]:
        if force:
            return Step(0, Signals.SIGQUIT), Step(KILL_AFTER, Signals.SIGKILL)
        if timeout is None:
            return ()
        if timeout > self._settings.shutdown_timeout:
            # A stop begins the worker's own shutdown_timeout, and supervisord's KILL behind it: so first let it drain.
            until = time.monotonic() + timeout
            self._manager.signal(units, Signals.SIGUSR2)
            wait_idle(self._installation.locks, units, until)
            timeout = max(0.0, until - time.monotonic())
        return (Step(timeout, Signals.SIGTERM),)


def _unknown(kind: str, name: str, there: Iterable[str]) -> UsageError:
    names = sorted(there)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else None
    return UsageError(f"no {kind} {name!r}; there are: {', '.join(names) or 'none'}", hint=hint)
