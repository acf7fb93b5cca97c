"""What happens to a run: faults in a seeded order, each undone after a while.

A fault is a function of the stage and of a source of chance; it returns what undoes it: (seconds from now, action).
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random

from disk import break_disk
from stage import WORKERS, Stage, send

Later = tuple[float, Callable[[], object]]
Fault = Callable[[Stage, Random], "Iterable[Later] | None"]

HELD = ("0.5", "0.5", "2", "6")
"""Seconds: the last is longer than the busy timeout of 5."""
HOLD_SQLITE = """
import sys, time, pysqlite3
held = pysqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
held.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
held.execute("ROLLBACK")
"""


def one_of(chance: Random, pids: Sequence[int]) -> list[int]:
    """One of them, or none where there is none; takes from `chance` either way, so that the rest stays the same."""
    at = chance.random()
    return [pids[int(at * len(pids))]] if pids else []


def kill_worker(stage: Stage, chance: Random) -> None:
    for pid in one_of(chance, stage.workers()):
        send(pid, signal.SIGKILL)


def kill_all_workers(stage: Stage, chance: Random) -> None:
    for pid in stage.workers():
        send(pid, signal.SIGKILL)


def kill_supervisord(stage: Stage, chance: Random) -> Iterable[Later]:
    for pid in stage.supervisord():
        send(pid, signal.SIGKILL)
    return [(chance.uniform(0, 1), lambda: stage.command("worker", "start", "--count", str(WORKERS)))]


def kill_job(stage: Stage, chance: Random) -> None:
    for _ in range(chance.randint(1, 4)):
        for pid in one_of(chance, stage.jobs()):
            send(pid, signal.SIGKILL)


def kill_enqueuer(stage: Stage, chance: Random) -> None:
    for pid in one_of(chance, [process.pid for process in stage.enqueuers.values()]):
        send(pid, signal.SIGKILL)


def freeze_worker(stage: Stage, chance: Random) -> Iterable[Later]:
    """Now for shorter than `job_lock_timeout`, now for longer: then the others kill it."""
    seconds = chance.choice([0.3, 1, 4])
    frozen = one_of(chance, stage.workers())
    for pid in frozen:
        send(pid, signal.SIGSTOP)
    return [(seconds, lambda pid=pid: send(pid, signal.SIGCONT)) for pid in frozen]  # type: ignore[misc]


def freeze_jobs(stage: Stage, chance: Random) -> Iterable[Later]:
    frozen = stage.jobs()
    for pid in frozen:
        send(pid, signal.SIGSTOP)
    return [(chance.uniform(0.2, 1), lambda pid=pid: send(pid, signal.SIGCONT)) for pid in frozen]  # type: ignore[misc]


def term_storm(stage: Stage, chance: Random) -> Iterable[Later]:
    pids = one_of(chance, stage.workers())
    return [(n * 0.05, lambda pid=pid: send(pid, signal.SIGTERM)) for n in range(chance.randint(1, 6)) for pid in pids]  # type: ignore[misc]


def reload(stage: Stage, chance: Random) -> Iterable[Later]:
    return [
        (n * 0.1, lambda pid=pid: send(pid, signal.SIGHUP))  # type: ignore[misc]
        for n in range(chance.randint(1, 3))
        for pid in stage.workers()
    ]


def restart(stage: Stage, chance: Random) -> None:
    stage.command("worker", "restart")


def scale(stage: Stage, chance: Random) -> None:
    stage.command("worker", "start", "--count", str(chance.randint(1, 5)))


def hold_write_lock(stage: Stage, chance: Random) -> None:
    seconds = chance.choice(HELD)
    stage.commands.append(stage.spawn("flock", os.path.join(stage.home, "write.lock"), "sleep", seconds))


def hold_sqlite(stage: Stage, chance: Random) -> None:
    """Somebody who doesn't know of the write lock holds SQLite's own."""
    seconds = chance.choice(HELD)
    stage.commands.append(stage.spawn(sys.executable, "-c", HOLD_SQLITE, stage.queue.database.path, seconds))


def slow_disk(stage: Stage, chance: Random) -> Iterable[Later]:
    stage.set_conditions(sync=chance.choice([0.02, 0.1, 0.4]))
    return [(chance.uniform(1, 3), stage.set_conditions)]


def failing_disk(stage: Stage, chance: Random) -> Iterable[Later]:
    """Each sync says that it failed: then what was about to be committed may be on the disk, or not."""
    stage.set_conditions(fail=True)
    return [(chance.uniform(0.1, 2), stage.set_conditions)]


def clock_step(stage: Stage, chance: Random) -> Iterable[Later]:
    stage.set_conditions(clock=chance.choice([3600, -3600, 60, -60]))
    return [(chance.uniform(1, 4), stage.set_conditions)]


def disk_full(stage: Stage, chance: Random) -> Iterable[Later]:
    """Down to nothing, or to less than `min_free_space`. Does nothing where the home has no file system of its own."""
    left = chance.choice([0, 0, 6 * 2**20])
    seconds = chance.uniform(0.5, 3)
    if not os.path.ismount(stage.home):
        return []
    ballast = os.path.join(stage.home, "ballast")
    found = os.statvfs(stage.home)
    try:
        fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    except OSError:
        return []  # full, or read-only
    try:
        os.posix_fallocate(fd, 0, max(4096, found.f_bavail * found.f_frsize - left))
    except OSError:
        pass  # somebody was quicker: full all the same
    finally:
        os.close(fd)
    return [(seconds, lambda: remove(ballast))]


def remove(ballast: str) -> None:
    try:
        os.unlink(ballast)
    except FileNotFoundError:
        pass
    except OSError as error:
        # The disk is read-only meanwhile; its repair takes the ballast away.
        if error.errno != errno.EROFS:
            raise


def read_only_disk(stage: Stage, chance: Random) -> Iterable[Later]:
    """Until somebody mends it, which takes the end of all that use it. Does nothing where the home has no disk of its
    own."""
    seconds = chance.uniform(0.5, 4)
    return [(seconds, stage.repair_disk)] if break_disk(stage.run) else []


FAULTS: tuple[Fault, ...] = (
    kill_worker,
    kill_worker,
    kill_worker,
    kill_all_workers,
    kill_supervisord,
    kill_job,
    kill_job,
    kill_enqueuer,
    freeze_worker,
    freeze_jobs,
    term_storm,
    reload,
    restart,
    scale,
    hold_write_lock,
    hold_sqlite,
    slow_disk,
    failing_disk,
    clock_step,
    disk_full,
    read_only_disk,
)


class Adversary:
    """Takes the faults from a bag that holds each of them, and is filled again when it is empty."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.before_each: Callable[[], object] = lambda: None
        """Done before each fault."""
        self.faults: Counter[str] = Counter()
        self._stage = stage
        self._chance = Random(seed)
        self._bag: list[Fault] = []
        self._later: list[Later] = []

    def torment(self, seconds: float) -> None:
        """One fault after another, for so long; then all is undone."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self._bag:
                self._bag = list(FAULTS)
                self._chance.shuffle(self._bag)
            self._do(self._bag.pop())
            self._pass(self._chance.uniform(0.2, 1.6))
        self._pass(max([0.0, *(at - time.monotonic() for at, _ in self._later)]))

    def kill(self, every: float, going_on: Callable[[], bool]) -> None:
        """kill -9 of a random worker, again and again."""
        while going_on():
            self._do(kill_worker)
            self._pass(every)

    def _do(self, fault: Fault) -> None:
        self.before_each()
        self.faults[fault.__name__] += 1
        now = time.monotonic()
        self._later += [(now + seconds, action) for seconds, action in fault(self._stage, self._chance) or ()]

    def _pass(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = [each for each in self._later if each[0] <= now]
            self._later = [each for each in self._later if each[0] > now]
            for _, action in due:
                action()
            if now >= until:
                return
            time.sleep(min(0.05, until - now))
