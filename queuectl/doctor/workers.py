"""The service manager, and its workers."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.doctor.kernel import rttime
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration
from queuectl.domain.findings import Finding, Severity, error, ok, warning
from queuectl.domain.settings import Settings
from queuectl.errors import QueuectlError
from queuectl.pools.control import Workers
from queuectl.pools.status import WorkerStatus, join
from queuectl.pools.stillness import leftovers

_HARD_RTTIME = re.compile(rb"^Max realtime timeout +\S+ +(\S+)", re.MULTILINE)


def examine(place: Installation, settings: Settings) -> Iterator[Finding]:
    """Whether the manager answers, and whether those run that should."""
    yield from _socket(place)
    try:
        found = Workers(settings, place).status()
        yield ok("manager", settings.service.manager, "answers")
    except QueuectlError as refused:
        yield error("manager", settings.service.manager, f"doesn't answer: {refused}", refused.hint)
        # The locks say who lives all the same.
        found = join(settings, [], place.locks)
    yield from _numbers(found, settings)
    for worker in found:
        yield from _one(worker, settings)
    if not any(worker.pid for worker in found) and (left := leftovers(place.home)):
        pids = " ".join(map(str, left))
        mend = "queuectl worker start"
        yield warning(
            "jobs.leftovers", f"pid {pids}", "processes of jobs outlived all workers; the next one ends them", mend
        )


def _socket(place: Installation) -> Iterator[Finding]:
    """The private supervisord, as far as its files tell."""
    path = os.path.join(place.supervisor, "supervisor.sock")
    if not os.path.lexists(path):
        return
    pid = _pid(os.path.join(place.supervisor, "supervisord.pid"))
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(os.path.realpath(path))
        except OSError as refused:
            said = (refused.strerror or str(refused)).lower()
            found = f"a socket that nobody answers ({said}); supervisord was killed, maybe with pid {pid or 'unknown'}"
            yield warning("manager.socket", path, found, "queuectl worker start")
            return
    yield ok("manager.socket", path, f"supervisord listens, pid {pid or 'unknown'}")


def _pid(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _numbers(found: list[WorkerStatus], settings: Settings) -> Iterator[Finding]:
    alive = [worker.pool for worker in found if worker.pid is not None]
    if not alive:
        yield ok("workers", "all pools", "none runs; `queuectl worker start` starts them")
        return
    for pool in settings.pools.values():
        n = alive.count(pool.name)
        if n < pool.workers:
            yield error("workers", pool.name, f"{n} of {pool.workers} workers run", "queuectl worker start")
        else:
            yield ok("workers", pool.name, f"{n} run, {pool.workers} wanted")


def _one(worker: WorkerStatus, settings: Settings) -> Iterator[Finding]:
    if worker.state == "failed":
        yield error("worker", worker.name, "has failed, and isn't tried again", f"queuectl worker logs {worker.name}")
    if worker.pid is None:
        return
    if worker.beat_at is not None and now_ms() - worker.beat_at > settings.job_lock_timeout * 1000:
        silent = format_duration((now_ms() - worker.beat_at) // 1000)
        mend = f"queuectl worker restart {worker.name}"
        yield error("worker", worker.name, f"gave no sign of life for {silent}", mend)
    try:
        with open(f"/proc/{worker.pid}/limits", "rb") as file:
            hard = _HARD_RTTIME.search(file.read())
    except OSError:
        return  # it ended meanwhile
    if hard is not None and hard[1].isdigit():
        limit = rttime(f"worker {worker.name}", int(hard[1]))
        if limit.severity is not Severity.OK:
            yield limit
