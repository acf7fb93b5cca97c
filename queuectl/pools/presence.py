"""How a worker is known to be alive: it holds the lock of its name.

The kernel frees the lock with the process, however it ends: there is no pid to be reused, and no clock to go wrong.
What the worker says of itself stands in the locked file.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import time
from typing import NamedTuple

from queuectl.errors import ServiceError
from queuectl.services.private import open_lock

SIZE = 512
"""Bytes of the file: always all of them, in one write, so that a reader meets no half of a shorter record."""

STATES = ("starting", "running", "draining", "stopping")
"""In this order: it doesn't serve yet · serves · claims nothing more, but stays (USR2) · will exit (TERM)."""

SUFFIX = ".lock"

_TRIES = 1000
"""Against somebody who probes without end; each pause is about a millisecond."""


class Record(NamedTuple):
    """What a worker says of itself."""

    uuid: str
    """Another at each start, the same over a reload."""
    pid: int
    state: str
    """One of STATES."""
    running: int
    """Jobs that run now."""
    done: int
    """Attempts that ended since its start."""
    started_at: int
    """Milliseconds since the epoch."""
    beat: int
    """Raised by each round of the worker's loop."""
    reloads: int = 0
    """How often it has begun anew under its PID."""
    refusals: int = 0
    """How often it has refused to, since it last did."""


class Sighting(NamedTuple):
    """A lock file, as somebody else sees it."""

    name: str
    pool: str
    instance: int
    held: bool
    """True while a worker of that name is alive."""
    record: Record | None
    """The last that was written, also if its writer is dead; None in the moment before the first."""
    beat_at: int
    """When the record was written: milliseconds since the epoch."""


class Taken(ServiceError):
    """Another process is the worker of that name; `record` is what it says of itself."""

    def __init__(self, name: str, record: Record | None) -> None:
        pid = "starting just now" if record is None else f"pid {record.pid}"
        super().__init__(f"worker {name} runs already ({pid})", hint="queuectl worker status")
        self.record = record


class Presence:
    """The held lock. It lives as long as its descriptor, which no child inherits, unless for an exec."""

    def __init__(self, handle: int, path: str, pool: str, instance: int) -> None:
        self._handle = handle
        self.path = path
        self.pool = pool
        self.instance = instance

    @property
    def name(self) -> str:
        return f"{self.pool}-{self.instance}"

    @classmethod
    def acquire(cls, locks_dir: str, pool: str, instance: int, block: bool = False) -> Presence:
        """Become the worker `pool`-`instance`.

        With `block`, wait until its holder is gone. Signal handlers run meanwhile; an exception in one ends the wait.

        Raises:
            Taken: somebody is it already, and `block` is false.
        """
        path = lock_path(locks_dir, pool, instance)
        while True:
            handle = open_lock(path)
            try:
                if block:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                elif not _lock_at_once(handle):
                    raise Taken(f"{pool}-{instance}", _read(handle))
                # Its former holder removes the file when it ends in peace: then this is the lock of a file that nobody
                # else will find.
                if _is_at(handle, path):
                    os.pwrite(handle, b" " * SIZE, 0)  # the former holder's record isn't ours
                    return cls(handle, path, pool, instance)
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    @classmethod
    def adopt(cls, handle: int, locks_dir: str, pool: str, instance: int) -> Presence:
        """Go on holding the lock that came through an exec as the descriptor `handle`.

        Raises:
            ServiceError: the descriptor isn't open, or isn't of that worker's lock.
        """
        path = lock_path(locks_dir, pool, instance)
        try:
            genuine = _is_at(handle, path)
        except OSError:
            genuine = False
        if not genuine:
            raise ServiceError(f"expected descriptor {handle} to be the lock {path}; it isn't, or the file was removed")
        os.set_inheritable(handle, False)
        return cls(handle, path, pool, instance)

    def fileno(self) -> int:
        """The descriptor, for an exec: make it inheritable before, and `adopt` it behind."""
        return self._handle

    def publish(self, record: Record) -> None:
        """Say `record` of oneself. It is one small write, of which nobody needs to be sure after a power cut; where the
        disk is full or read-only it isn't said, and the lock is held all the same."""
        data = json.dumps(record, separators=(",", ":")).encode()
        if len(data) > SIZE:
            raise ValueError(f"expected a record of at most {SIZE} bytes, got {len(data)}")
        try:
            os.pwrite(self._handle, data.ljust(SIZE), 0)
        except OSError:
            pass

    def close(self) -> None:
        """Give the name free. The file goes first, while its lock is held: so nobody removes another's."""
        if self._handle < 0:
            return
        if _is_at(self._handle, self.path):
            try:
                os.unlink(self.path)
            except OSError:
                pass  # the disk is read-only: it looks as after a crash
        os.close(self._handle)
        self._handle = -1


def first_free(locks_dir: str, pool: str) -> Presence:
    """Become the worker of `pool` with the first number that nobody has, from 0."""
    instance = 0
    while True:
        try:
            return Presence.acquire(locks_dir, pool, instance)
        except Taken:
            instance += 1


def sightings(locks_dir: str) -> list[Sighting]:
    """All workers that are, or were and crashed, by pool and number. What ended in peace left no file."""
    try:
        names = os.listdir(locks_dir)
    except FileNotFoundError:
        return []
    found = []
    for file in names:
        pool, dash, number = file.removesuffix(SUFFIX).rpartition("-")
        if file.endswith(SUFFIX) and dash and pool and number.isascii() and number.isdigit():
            seen = sight(locks_dir, pool, int(number))
            if seen is not None:
                found.append(seen)
    return sorted(found, key=lambda seen: (seen.pool, seen.instance))


def sight(locks_dir: str, pool: str, instance: int) -> Sighting | None:
    """Look at one worker; None if there is no file of its name."""
    try:
        handle = os.open(lock_path(locks_dir, pool, instance), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A shared lock, so that two who look don't take each other for the worker.
        held = not _try(handle, fcntl.LOCK_SH)
        record = _read(handle)
        beat_at = os.fstat(handle).st_mtime_ns // 1_000_000
    finally:
        os.close(handle)
    return Sighting(f"{pool}-{instance}", pool, instance, held, record, beat_at)


def lock_path(locks_dir: str, pool: str, instance: int) -> str:
    return f"{locks_dir}/{pool}-{instance}{SUFFIX}"


def _lock_at_once(handle: int) -> bool:
    """Take the lock; false if a worker has it. One who only looks has it shared, and not for long."""
    for _ in range(_TRIES):
        if _try(handle, fcntl.LOCK_EX):
            return True
        if not _try(handle, fcntl.LOCK_SH):
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)
        # By chance: two who want it, and each meets the other looking, must fall out of step.
        time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311
    return False


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _read(handle: int) -> Record | None:
    # A read may meet a write half done: the next one won't.
    for _ in range(3):
        text = os.pread(handle, SIZE, 0).strip()
        if not text:
            return None
        try:
            return Record(*json.loads(text))
        except (ValueError, TypeError):
            pass
    return None
