"""Backups, and the log that is to be moved into the database."""

from __future__ import annotations

import os
from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_duration, format_size
from queuectl.domain.findings import Finding, ok, warning
from queuectl.domain.settings import Settings
from queuectl.storage import backup

_LONG_LOG = 256 * 2**20
"""Bytes: the leader moves it at 4 MiB; so long it is only if somebody reads for hours, or no worker runs."""


def examine(place: Installation, settings: Settings, path: str, since: int | None) -> Iterator[Finding]:
    """The age of the newest backup, and the length of the log of the database at `path`. `since` is when the first of
    its workers began, in milliseconds since the epoch."""
    yield _log(path)
    copies = backup.dated(place.backups)
    age = now_ms() - copies[0].taken_at if copies else None
    said = "none" if age is None else f"the newest is {format_duration(max(0, age) // 1000)} old"
    if not settings.backup_every:
        yield ok("backups", place.backups, f"{said}; `backup.every` is 0, so you make them yourself")
    elif age is None and (since is None or now_ms() - since < settings.backup_every * 1000):
        yield ok("backups", place.backups, "none yet: the first is made while workers run")
    elif age is None or age > 2 * settings.backup_every * 1000:
        wanted = format_duration(settings.backup_every)
        found = f"{said}, and there should be one every {wanted}: workers make them"
        yield warning("backups", place.backups, found, "queuectl db backup")
    else:
        yield ok("backups", place.backups, f"{len(copies)}, {said}")


def _log(path: str) -> Finding:
    log = f"{path}-wal"
    try:
        length = os.stat(log).st_size
    except OSError:
        length = 0
    if length >= _LONG_LOG:
        found = f"{format_size(length)}: a program reads for very long, or no worker runs to move it into the database"
        return warning("database.log", log, found, "queuectl db vacuum")
    return ok("database.log", log, format_size(length))
