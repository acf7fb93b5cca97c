"""The state of workers, from what the service manager says of them and what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Settings
from queuectl.pools.presence import Sighting, sightings
from queuectl.services.manager import Process, WorkerUnit


class WorkerStatus(NamedTuple):
    """A worker, as `worker status` shows it. What isn't known is None."""

    name: str
    pool: str
    pid: int | None
    """None if it doesn't run."""
    state: str
    """`starting`, `running`, `draining`, `stopping`, `stopped` or `failed`."""
    uptime: float | None
    """Seconds since its start."""
    running: int | None
    """Jobs that run now."""
    done: int | None
    """Attempts that ended since its start."""
    rss: int | None
    """Bytes of memory of the worker itself, without its jobs."""
    cpu: float | None
    """Seconds of CPU that the worker itself used, without its jobs."""
    beat_at: int | None
    """When its loop last gave a sign: milliseconds since the epoch."""


def join(settings: Settings, processes: Iterable[Process], locks_dir: str) -> list[WorkerStatus]:
    """All workers that run, or should, by pool and number."""
    known = {process.unit: process for process in processes}
    alive = {WorkerUnit(seen.pool, seen.instance): seen for seen in sightings(locks_dir) if seen.held}
    wanted = {WorkerUnit(name, number) for name, pool in settings.pools.items() for number in range(pool.workers)}
    now = now_ms()
    return [
        _status(unit, known.get(unit), alive.get(unit), now) for unit in sorted(known.keys() | alive.keys() | wanted)
    ]


def _status(unit: WorkerUnit, process: Process | None, seen: Sighting | None, now: int) -> WorkerStatus:
    # The lock says who is the worker; a second process of its name, known to the manager, waits for it to end.
    if seen is not None and seen.record is not None:
        record = seen.record
        state = record.state
        if process is not None and process.pid == record.pid and process.state == "stopping":
            state = "stopping"  # the worker may not have read its signal yet
        rss, cpu = _usage(record.pid)
        up = _since(record.started_at, now)
        return WorkerStatus(
            unit.name, unit.pool, record.pid, state, up, record.running, record.done, rss, cpu, seen.beat_at
        )
    if process is not None and process.pid is not None:
        state = "starting" if process.state == "running" else process.state
        rss, cpu = _usage(process.pid)
        uptime = None if process.started_at is None else _since(process.started_at, now)
        return WorkerStatus(unit.name, unit.pool, process.pid, state, uptime, None, None, rss, cpu, None)
    if seen is not None:  # it holds the lock, and has said nothing yet
        return WorkerStatus(unit.name, unit.pool, None, "starting", None, None, None, None, None, None)
    state = "stopped" if process is None else process.state
    return WorkerStatus(unit.name, unit.pool, None, state, None, None, None, None, None, None)


def _since(started_at: int, now: int) -> float:
    return max(0, now - started_at) / 1000


def _usage(pid: int) -> tuple[int | None, float | None]:
    """Resident bytes and CPU seconds; None if it ended meanwhile."""
    import psutil  # 14 ms, for this alone

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return process.memory_info().rss, times.user + times.system
    except psutil.Error:
        return None, None
