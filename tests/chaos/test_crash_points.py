"""kill -9 between any two statements: the database is sound, and whatever was acknowledged comes to its end; and
between any two calls that cut an output.

Each operation is run once to count its statements, and then once for each of them in a child that is killed before that
statement; and once more, to be killed when all are done.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from queue_file import NOW, add, add_worker, check_sound, ending, exit_code_of, forked, new_job

from queuectl.domain.job import MAX_TAIL
from queuectl.domain.settings import Settings
from queuectl.domain.states import Outcome, State
from queuectl.execution.output import Output, salvage
from queuectl.execution.place import output_path, spool_path
from queuectl.storage import changes, claims, migrations, workers
from queuectl.storage.connection import Connection
from queuectl.storage.database import Database
from queuectl.worker.leader import Leader
from queuectl.worker.recovery import Recovery

LONG_AFTER = NOW + 10**9
"""When all is due."""


class Statements:
    """Counts this process's statements, and kills it before the one with the given number."""

    def __init__(self, die_at: int) -> None:
        self.count = 0
        self._die_at = die_at
        for name in ("rows", "change", "change_many"):
            setattr(Connection, name, self.counting(getattr(Connection, name)))

    def counting(self, function: Callable[..., object]) -> Callable[..., object]:
        """The function, which is counted as a statement from now on."""

        def counted(*arguments: object, **named: object) -> object:
            self.boundary()
            return function(*arguments, **named)

        return counted

    def boundary(self) -> None:
        self.count += 1
        if self.count == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


class Place(NamedTuple):
    """A home, as far as these operations need one."""

    home: str

    @property
    def database(self) -> str:
        return f"{self.home}/queue.db"

    @property
    def outputs(self) -> str:
        return f"{self.home}/output"

    @property
    def locks(self) -> str:
        return f"{self.home}/locks"

    def say(self, text: str) -> None:
        """What the operation acknowledges."""
        with open(f"{self.home}/said", "a") as file:
            file.write(f"{text}\n")

    def said(self) -> list[str]:
        return Path(f"{self.home}/said").read_text().split() if os.path.exists(f"{self.home}/said") else []


# The operations: `before` makes the home as the operation finds it, `work` is what is killed.


def nothing(place: Place) -> None:
    """No database at all."""


def some_jobs(place: Place) -> None:
    database = Database(place.database)
    add(database, *[new_job(f"j{n}") for n in range(4)])
    add(database, new_job("later", state=State.SCHEDULED, run_at=NOW + 1))
    worker = add_worker(database)
    with database.write():
        (claim,) = claims.claim(database, worker, None, [0], NOW)
        claims.finish(database, worker, [ending(claim, State.FAILED, Outcome.FAILED, run_at=NOW + 1)])
    database.close()


def some_running(place: Place) -> None:
    """Two jobs run in a worker that is dead, which nobody knows yet; one of them has written to its spool."""
    some_jobs(place)
    database = Database(place.database)
    worker = workers.register(database, workers.WorkerStart(0, "dead", "default-7", "h", _boot(), 1), NOW)
    with database.write():
        taken = claims.claim(database, worker, None, range(2), NOW)
    database.close()
    os.makedirs(os.path.dirname(spool_path(place.outputs, "dead", 0)))
    Path(spool_path(place.outputs, "dead", 0)).write_text(f"of {taken[0].id}")


def some_ended(place: Place) -> None:
    """All jobs ended long ago, and left output; but for one, that ended later."""
    some_jobs(place)
    database = Database(place.database)
    run_all(database, NOW + 10)
    for (job,) in database.rows("SELECT public_id FROM jobs"):
        os.makedirs(os.path.dirname(output_path(place.outputs, job, 1)))
        Path(output_path(place.outputs, job, 1)).write_text("long")
    database.change("UPDATE jobs SET finished_at = 1 WHERE public_id <> 'j3'")
    database.close()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def enqueue(place: Place) -> None:
    database = Database(place.database)
    for job in add(database, new_job("new1"), new_job("new2", unique_key="k")):
        place.say(job)


def claim(place: Place) -> None:
    database = Database(place.database)
    worker = database.rows("SELECT id FROM workers")[0][0]
    with database.write():
        claims.claim(database, worker, None, range(3), NOW)


def promote(place: Place) -> None:
    """A claim of the waiting ones, which are due by now."""
    database = Database(place.database)
    worker = database.rows("SELECT id FROM workers")[0][0]
    with database.write():
        assert len(claims.claim(database, worker, None, range(9), NOW + 10)) == 5


def finish(place: Place) -> None:
    """As a worker does it: what ended goes in, what is next comes out, in one transaction."""
    database = Database(place.database)
    worker = database.rows("SELECT id FROM workers WHERE uuid = 'dead'")[0][0]
    taken = [attempt.claim for attempt in workers.open_attempts(database, worker)]
    with database.write():
        endings = [
            ending(taken[0], State.COMPLETED, Outcome.COMPLETED),
            ending(taken[1], State.FAILED, Outcome.FAILED, run_at=NOW),
        ]
        assert claims.finish(database, worker, endings) == []
        claims.claim(database, worker, None, range(2), NOW)
    place.say(taken[0].id)


def release(place: Place) -> None:
    database = Database(place.database)
    worker = database.rows("SELECT id FROM workers WHERE uuid = 'dead'")[0][0]
    taken = [attempt.claim for attempt in workers.open_attempts(database, worker)]
    with database.write():
        claims.finish(database, worker, [ending(each, State.PENDING, Outcome.RELEASED) for each in taken])


def rescue(place: Place) -> None:
    database = Database(place.database)
    recover(place, database)


def retain(place: Place) -> None:
    maintain(place, Database(place.database))
    assert os.listdir(place.outputs) == ["j3"]


def change(place: Place) -> None:
    """All that a person does to jobs."""
    database = Database(place.database)
    rows = dict(database.rows("SELECT public_id, id FROM jobs"))
    assert changes.hold(database, [rows["j1"]], "r", NOW)
    assert changes.unhold(database, [rows["j1"]], NOW)
    assert changes.cancel(database, [rows["j2"]], "r", NOW)
    assert changes.retry(database, [rows["j2"]], NOW)
    assert changes.remove(database, [rows["j3"]], NOW)


def open_it(place: Place) -> None:
    Database(place.database)


def migrate(place: Place) -> None:
    """To a schema of the next minor version, as this test makes one up."""
    step = ("ALTER TABLE jobs ADD COLUMN colour TEXT", "CREATE TABLE colours (name TEXT)")
    now = migrations.VERSION
    migrations.STEPS += ((now + 1, step), (now + 2, ("CREATE INDEX by_colour ON jobs (colour)",)))
    migrations.VERSION = now + 2
    Database(place.database)


OPERATIONS: dict[str, tuple[Callable[[Place], None], Callable[[Place], None]]] = {
    "create": (nothing, open_it),
    "create and enqueue": (nothing, enqueue),
    "migrate": (some_jobs, migrate),
    "enqueue": (some_jobs, enqueue),
    "change": (some_jobs, change),
    "claim": (some_jobs, claim),
    "promote": (some_jobs, promote),
    "finish": (some_running, finish),
    "release": (some_running, release),
    "rescue": (some_running, rescue),
    "retention": (some_ended, retain),
}


def recover(place: Place, database: Database) -> None:
    recovery = Recovery(database, place.locks, place.outputs, "")
    recovery.look(time.monotonic())
    while recovery.busy:
        recovery.step(time.monotonic())


def maintain(place: Place, database: Database) -> None:
    """What the leader does at its first turn; its outputs and all else must be older than an hour to be forgotten."""
    os.makedirs(place.locks, exist_ok=True)
    os.makedirs(place.outputs, exist_ok=True)
    for name in os.listdir(place.outputs):
        os.utime(f"{place.outputs}/{name}", (0, 0))
    recovery = Recovery(database, place.locks, place.outputs, "")
    backups: Any = SimpleNamespace(work=lambda now: None)
    leader = Leader(database, Settings(cleanup_completed_after_hours=1), place.locks, place.outputs, recovery, backups)
    leader.work(time.monotonic())


def run_all(database: Database, now: int) -> list[str]:
    """A worker that takes and completes whatever there is, once it is due; the ids in their order."""
    worker, done = add_worker(database), []
    while True:
        with database.write():
            taken = claims.claim(database, worker, None, range(3), now)
            claims.finish(database, worker, [ending(each, State.COMPLETED, Outcome.COMPLETED, now) for each in taken])
        if not taken:
            return done
        done += [each.id for each in taken]


def to_its_end(place: Place) -> None:
    """What the next worker finds, and does."""
    database = Database(place.database)
    check_sound(database)
    check_audit(database)
    there = {job for (job,) in database.rows("SELECT public_id FROM jobs")}
    assert set(place.said()) <= there
    recover(place, database)
    for (row,) in database.rows("SELECT id FROM jobs WHERE state = 'held'"):
        changes.unhold(database, [row], NOW)
    run_all(database, LONG_AFTER)
    unended = database.rows("SELECT public_id, state FROM jobs WHERE state NOT IN ('completed', 'dead', 'cancelled')")
    assert unended == []
    assert database.rows("SELECT count(*) FROM attempts WHERE outcome IS NULL") == [(0,)]
    twice = "SELECT job_id FROM attempts WHERE outcome = 'completed' GROUP BY job_id HAVING count(*) > 1"
    assert database.rows(twice) == []
    maintain(place, database)
    check_sound(database)
    there = {job for (job,) in database.rows("SELECT public_id FROM jobs")}
    assert set(os.listdir(place.outputs)) <= there
    database.close()


def check_audit(database: Database) -> None:
    """What was done is on record, and what is on record was done."""
    record = database.rows("SELECT action, target, count FROM audit ORDER BY id")
    there = {job for (job,) in database.rows("SELECT public_id FROM jobs")}
    removed = {target for action, target, _ in record if action == "remove"}
    assert removed & there == set()
    ever = database.rows("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'jobs'")[0][0]
    assert sum(n for action, _, n in record if action == "enqueue") == ever
    assert {by for (by,) in database.rows("SELECT enqueued_by FROM job_specs")} <= {database.actor}
    # Each of these leaves a mark on its job, and undoes that of the one before.
    done = [action for action, _, _ in record if action != "enqueue"]
    assert done == ["hold", "release", "cancel", "retry", "remove"][: len(done)]
    marks = dict(database.rows("SELECT public_id, state FROM jobs WHERE state IN ('held', 'cancelled')"))
    assert marks == ({"j1": "held"} if done == ["hold"] else {"j2": "cancelled"} if len(done) == 3 else {})


def killed(work: Callable[[Place], None], place: Place, die_at: int) -> int:
    """Do it in a child that is killed; how many statements it was, where it wasn't killed."""

    def child() -> None:
        statements = Statements(die_at)
        work(place)
        statements.boundary()
        Path(f"{place.home}/count").write_text(str(statements.count))

    code = exit_code_of(forked(child))
    assert code == (-signal.SIGKILL if die_at else 0)
    return 0 if die_at else int(Path(f"{place.home}/count").read_text())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_between_any_two_statements_loses_nothing(operation: str, tmp_path: Path) -> None:
    before, work = OPERATIONS[operation]
    made = Place(str(tmp_path / "made"))
    os.mkdir(made.home)
    before(made)
    whole = Place(shutil.copytree(made.home, str(tmp_path / "whole")))
    count = killed(work, whole, 0)
    assert count >= 3
    to_its_end(whole)
    for number in range(1, count + 1):
        place = Place(shutil.copytree(made.home, str(tmp_path / str(number))))
        killed(work, place, number)
        to_its_end(place)


LIMIT = 64 * 1024


def cut_an_output(place: Place, die_at: int) -> int:
    """Take in a long output as a worker does, in a child that is killed before that call of the system; how many there
    are, where it wasn't killed."""
    spool = spool_path(place.outputs, "dead", 0)
    os.makedirs(os.path.dirname(spool), exist_ok=True)
    Path(spool).write_bytes(LONG_OUTPUT)

    def child() -> None:
        output = Output(os.open(spool, os.O_RDWR | os.O_APPEND), spool)
        calls = Statements(die_at)
        for name in ("open", "rename", "makedirs", "pread", "pwrite", "ftruncate"):
            setattr(os, name, calls.counting(getattr(os, name)))
        output.finish(output_path(place.outputs, "j", 1), LIMIT)
        calls.boundary()
        Path(f"{place.home}/count").write_text(str(calls.count))

    assert exit_code_of(forked(child)) == (-signal.SIGKILL if die_at else 0)
    return 0 if die_at else int(Path(f"{place.home}/count").read_text())


LONG_OUTPUT = b"".join(b"line %d\n" % number for number in range(400_000))


def test_a_kill_while_an_output_is_cut_keeps_its_head_and_its_tail(tmp_path: Path) -> None:
    count = cut_an_output(Place(str(tmp_path / "whole")), 0)
    assert count > 5
    for number in range(1, count + 1):
        place = Place(str(tmp_path / str(number)))
        cut_an_output(place, number)
        assert salvage(place.outputs, "j", 1, "dead", 0, LIMIT).tail == LONG_OUTPUT[-MAX_TAIL:]
        kept = Path(output_path(place.outputs, "j", 1)).read_bytes()
        assert kept.startswith(LONG_OUTPUT[: LIMIT // 2])
        assert kept.endswith(LONG_OUTPUT[-LIMIT // 2 :])
        assert len(kept) < LIMIT + 8192
