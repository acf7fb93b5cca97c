"""Waiting until workers serve, or no more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from queuectl.errors import ServiceError
from queuectl.pools.presence import Record, Sighting, sightings
from queuectl.services.manager import Manager, Process, WorkerUnit

READY = 10.0
"""Seconds that a worker may take to serve: it loads in half of one."""

RELOADED = 40.0
"""Seconds that a worker may take to reload: it gives the new program 30 to say that it can."""

POLL = 0.03


def wait_ready(manager: Manager, locks_dir: str, units: Iterable[WorkerUnit], patience: float = READY) -> None:
    """Return when all of `units` serve.

    Raises:
        ServiceError: one has failed, or `patience` seconds are over; with the end of its log.
    """
    deadline = time.monotonic() + patience
    left = set(units)
    while True:
        left -= records(locks_dir).keys()
        if not left:
            return
        known = {process.unit: process for process in manager.status()}
        for unit in sorted(left):
            process = known.get(unit)
            if process is not None and process.state == "failed":
                raise _unready(manager, unit, f"has failed ({process.detail or 'no reason given'})")
        if time.monotonic() > deadline:
            unit = min(left)
            raise _unready(manager, unit, f"isn't ready after {patience:g} s{_detail(known.get(unit))}")
        time.sleep(POLL)


def records(locks_dir: str) -> dict[WorkerUnit, Record]:
    """What each living worker that serves says of itself."""
    return {
        WorkerUnit(seen.pool, seen.instance): seen.record
        for seen in sightings(locks_dir)
        if seen.held and seen.record is not None and seen.record.state not in ("starting", "stopping")
    }


def wait_reloaded(
    manager: Manager, locks_dir: str, before: Mapping[WorkerUnit, Record], patience: float = RELOADED
) -> None:
    """Return when all have begun anew since they said `before`; one that has ended meanwhile begins anew anyway.

    Raises:
        ServiceError: one has refused to, or `patience` seconds are over; with the end of its log.
    """
    deadline = time.monotonic() + patience
    left = dict(before)
    while left:
        now = records(locks_dir)
        for unit, former in list(left.items()):
            record = now.get(unit)
            if record is None or record.uuid != former.uuid or record.reloads > former.reloads:
                del left[unit]
            elif record.refusals > former.refusals:
                raise _failed(manager, unit, "goes on as it was: the new program or configuration is no good")
        if left and time.monotonic() > deadline:
            raise _failed(manager, min(left), f"hasn't begun anew after {patience:g} s")
        time.sleep(POLL if left else 0)


def wait_idle(locks_dir: str, units: Iterable[WorkerUnit], until: float) -> None:
    """Return when none of `units`, which were told to drain, has a job left, or at the monotonic time `until`."""
    names = {unit.name for unit in units}
    while time.monotonic() < until:
        if not any(seen.name in names and _busy(seen) for seen in sightings(locks_dir)):
            return
        time.sleep(POLL)


def _busy(seen: Sighting) -> bool:
    """Until it says that it drains it may claim once more, however idle it is."""
    if not seen.held:
        return False
    record = seen.record
    return record is None or record.running > 0 or record.state not in ("draining", "stopping")


def _detail(process: Process | None) -> str:
    if process is None:
        return ""
    return f" ({process.state}: {process.detail})" if process.detail else f" ({process.state})"


def _unready(manager: Manager, unit: WorkerUnit, what: str) -> ServiceError:
    return _failed(manager, unit, what, f"; it stays under supervision: queuectl worker stop {unit.name}")


def _failed(manager: Manager, unit: WorkerUnit, what: str, more: str = "") -> ServiceError:
    lines = [f"  {line}" for line in manager.logs(unit, 10)]
    log = ["; the end of its log:", *lines] if lines else ["; its log is empty"]
    return ServiceError(f"worker {unit.name} {what}" + "\n".join(log), hint=f"queuectl worker logs {unit.name}{more}")
