"""`queuectl worker run`: what stands around the loop, from the lock of the name to the last word in the log."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
import traceback
import uuid

from queuectl.config.installation import Installation, create, database_file
from queuectl.config.sharing import share
from queuectl.domain.clock import now_ms
from queuectl.domain.settings import Pool, Settings
from queuectl.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseForeign,
    DatabaseNewer,
    DatabaseUnavailable,
    DiskFull,
    UsageError,
)
from queuectl.execution import libc
from queuectl.execution.identity import boot_id, host_id
from queuectl.pools.presence import Presence, Record, Taken, first_free, sight
from queuectl.queue.damage import advised
from queuectl.storage import library, workers
from queuectl.storage.database import Database
from queuectl.worker.handover import Handover, take
from queuectl.worker.hung import DeadMansSwitch, tell_of_silence
from queuectl.worker.log import event, set_up
from queuectl.worker.loop import EXIT_GONE, EXIT_OK, Identity, Worker
from queuectl.worker.notify import Notify
from queuectl.worker.signals import Signals

_PATIENCE = 0.1
"""Seconds that the loop waits for the write lock before it goes on with other things."""
_TRY_AGAIN = 0.1
_CRASH_PAUSE = 1.0
"""Seconds before an end that nobody foresaw: the service manager starts the next one at once, again and again."""
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class _ToldToStop(Exception):
    """A signal came while the worker was still waiting to begin."""


def run(place: Installation, settings: Settings, pool_name: str, instance: int | None, *, drain: bool = False) -> int:
    """Be a worker of the pool until told to stop, or, to `drain`, until its queues are empty; returns the exit code.

    `instance` None takes the first number that is free.

    Raises:
        UsageError: there is no such pool.
        ConfigError: the home can't be opened to the group that `share_with` names.
        DatabaseError: the database is one that waiting won't mend.
    """
    pool = pool_of(settings, pool_name)
    set_up(settings.log_level)
    handover = take()
    parent = handover.parent if handover else os.getppid()
    signals = Signals()
    notify = Notify()
    if _is_orphan(parent):
        return EXIT_OK
    if not os.path.isdir(place.home):
        return _leave_gone(place, parent)
    create(place)
    if share(place, settings):
        # The mark of a shared directory is lost where who isn't in the group must mend what the umask made of it.
        os.umask(0o027)
    libc.become_subreaper()
    notify.ready()
    switch = DeadMansSwitch(settings.job_lock_timeout)
    waiting = _Waiting(signals, notify, switch)
    try:
        if handover:
            presence = Presence.adopt(handover.presence, place.locks, pool_name, handover.instance)
        else:
            presence = _take_name(place, waiting, pool_name, instance, settings.job_lock_timeout)
        try:
            database = _open(database_file(place, settings), settings, waiting)
            identity = _resumed(handover, presence) if handover else _registered(database, presence, parent, waiting)
            worker = Worker(
                place,
                settings,
                pool,
                identity,
                database,
                presence,
                signals,
                notify,
                switch,
                drain=drain,
                handover=handover,
            )
            code = worker.run()
            database.close()
            return _leave_gone(place, parent) if code == EXIT_GONE else code
        finally:
            presence.close()
    except _ToldToStop:
        return EXIT_OK
    except (DatabaseDamaged, DatabaseForeign, DatabaseNewer) as error:
        event("worker.failed", logging.ERROR, reason=str(error), hint=advised(error, place).hint)
        return EXIT_GONE
    except Exception:
        event("worker.failed", logging.CRITICAL, traceback=traceback.format_exc())
        time.sleep(_CRASH_PAUSE)
        raise


def pool_of(settings: Settings, name: str) -> Pool:
    """The pool of that name. Raises UsageError: there is none."""
    pool = settings.pools.get(name)
    if pool is None:
        known = ", ".join(sorted(settings.pools))
        raise UsageError(f"no pool {name!r}; the configuration has: {known}", hint="`queuectl config show`")
    return pool


class _Waiting:
    """What a worker does while it can't begin: say why, once, and heed signals."""

    def __init__(self, signals: Signals, notify: Notify, switch: DeadMansSwitch) -> None:
        self._signals = signals
        self._notify = notify
        self._switch = switch
        self._said = ""

    def pause(self, reason: str) -> None:
        """A moment before the next try. Raises _ToldToStop where a signal says so meanwhile."""
        if reason != self._said:
            self._said = reason
            event("worker.waiting", logging.WARNING, reason=reason)
            self._notify.status(f"waiting: {reason}")
        self._notify.alive()
        self._switch.alive()
        select.select([self._signals], [], [], _TRY_AGAIN)
        if any(number in _ENDING for number in self._signals.take()):
            raise _ToldToStop


def _take_name(
    place: Installation, waiting: _Waiting, pool: str, instance: int | None, job_lock_timeout: float
) -> Presence:
    """The lock of the worker's name; waits while another process has it."""
    if instance is None:
        return first_free(place.locks, pool)
    while True:
        former = sight(place.locks, pool, instance)
        try:
            presence = Presence.acquire(place.locks, pool, instance)
        except Taken as error:
            waiting.pause(str(error))
        else:
            tell_of_silence(former, job_lock_timeout)
            return presence


def _open(path: str, settings: Settings, waiting: _Waiting) -> Database:
    """The database, waited for where waiting may help."""
    if library.may_corrupt(library.version()):
        event(
            "database.unsafe",
            logging.WARNING,
            sqlite=library.named(library.version()),
            hint="it can corrupt a database that several processes write: pip install 'pysqlite3>=0.6'",
        )
    while True:
        try:
            # The leader alone checkpoints: a loop must not be the one that happens to cross the limit.
            return Database(path, synchronous=settings.synchronous, patience=_PATIENCE, checkpoints=False)
        except (DatabaseUnavailable, DiskFull) as error:
            waiting.pause(str(error))


def _registered(database: Database, presence: Presence, parent: int, waiting: _Waiting) -> Identity:
    """A new start of this name, written down."""
    own, now = uuid.uuid4().hex, now_ms()
    presence.publish(Record(own, os.getpid(), "starting", 0, 0, now, 0))
    start = workers.WorkerStart(0, own, presence.name, host_id(), boot_id(), os.getpid())
    while True:
        try:
            return Identity(workers.register(database, start, now), own, presence.name, parent, now)
        except DatabaseError as error:
            waiting.pause(str(error))


def _resumed(handover: Handover, presence: Presence) -> Identity:
    return Identity(handover.row, handover.uuid, presence.name, handover.parent, handover.started_at)


def _is_orphan(parent: int) -> bool:
    """Have the kernel tell of supervisord's death, and see whether it died before that.

    After a kill -9 of supervisord its successor starts a second worker of each name; the first must not stay.
    """
    if "SUPERVISOR_ENABLED" not in os.environ:
        return False
    libc.signal_at_death_of_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return True
    try:
        with open(f"/proc/{parent}/cmdline", "rb") as file:
            return b"supervisord" not in file.read()
    except OSError:
        return True


def _leave_gone(place: Installation, parent: int) -> int:
    """The home was removed: nobody will miss its private supervisord, which can't be reached any more either."""
    try:
        with open(f"/proc/{parent}/cmdline", "rb") as file:
            if os.path.join(place.supervisor, "").encode() in file.read() and not os.path.exists(place.supervisor):
                os.kill(parent, signal.SIGTERM)
    except OSError:
        pass
    return EXIT_GONE
