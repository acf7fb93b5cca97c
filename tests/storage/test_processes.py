"""Many processes on one queue, and processes that die at any moment."""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from queue_file import NOW, add, add_worker, check_sound, ending, exit_code_of, forked, new_job

from queuectl.domain.states import Outcome, State
from queuectl.errors import DatabaseUnavailable
from queuectl.storage import claims
from queuectl.storage.database import Database
from queuectl.storage.write_lock import WriteLock


class Line:
    """A pipe from children to the test."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def say(self, text: str) -> None:
        os.write(self._in, text.encode() + b"\n")

    def next(self, seconds: float = 30) -> str:
        """The next line; fails where none comes in time."""
        text = b""
        while not text.endswith(b"\n"):
            assert select.select([self._out], [], [], seconds)[0], "nothing was said in time"
            text += os.read(self._out, 1)
        return text.decode().strip()

    def rest(self) -> list[str]:
        """All lines that are left; no writer but children that have ended."""
        os.close(self._in)
        with open(self._out, closefd=True) as file:
            return file.read().split()


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't come true in time"
        time.sleep(0.005)


def test_twenty_processes_open_a_fresh_home_at_once(path: str) -> None:
    gate_out, gate_in = os.pipe()

    def work() -> None:
        os.close(gate_in)
        os.read(gate_out, 1)  # end of file opens the gate for all of them at once
        database = Database(path)
        add(database)
        database.close()

    pids = [forked(work) for _ in range(20)]
    os.close(gate_in)
    os.close(gate_out)
    assert [exit_code_of(pid) for pid in pids] == [0] * 20
    database = Database(path)
    assert database.rows("SELECT count(*) FROM jobs") == [(20,)]
    check_sound(database)
    database.close()
    assert sorted(os.listdir(os.path.dirname(path))) == ["queue.db", "write.lock"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def enqueue_until_killed(path: str, rounds: int) -> None:
    random.seed(rounds)
    acknowledged: set[str] = set()
    for number in range(rounds):
        line = Line()

        def work(number: int = number, line: Line = line) -> None:
            database = Database(path)
            for n in range(10_000):
                batch = [new_job(f"r{number}-{n}-{k}") for k in range(1 + n % 3)]
                line.say(",".join(add(database, *batch)))

        pid = forked(work)
        if number % 4:  # else it is killed while it opens, or makes, the database
            for _ in range(number % 5 + 1):
                acknowledged.update(line.next().split(","))
        time.sleep(random.random() * 0.004)
        os.kill(pid, signal.SIGKILL)
        assert exit_code_of(pid) == -signal.SIGKILL
        acknowledged.update(made for text in line.rest() for made in text.split(","))
        database = Database(path)
        there = {row[0] for row in database.rows("SELECT public_id FROM jobs")}
        assert acknowledged <= there
        assert len(there - acknowledged) <= 3 * (number + 1)  # a batch in flight, each time
        parts = Counter(made.rpartition("-")[0] for made in there)
        assert all(count == 1 + int(batch.split("-")[1]) % 3 for batch, count in parts.items())  # whole batches
        check_sound(database)
        database.close()


def test_an_enqueuer_killed_at_any_moment_loses_nothing(path: str) -> None:
    enqueue_until_killed(path, 40)


@pytest.mark.soak
def test_an_enqueuer_killed_at_any_of_many_moments_loses_nothing(path: str) -> None:
    enqueue_until_killed(path, 200)


@pytest.mark.parametrize("moment", range(8))
def test_whoever_makes_the_database_may_be_killed(path: str, moment: int) -> None:
    pid = forked(lambda: Database(path))
    time.sleep(moment * 0.001)
    os.kill(pid, signal.SIGKILL)
    exit_code_of(pid)
    database = Database(path)
    add(database)
    check_sound(database)
    database.close()


def test_a_kill_inside_a_transaction_leaves_no_row_and_no_lock(path: str) -> None:
    Database(path).close()
    line = Line()

    def work() -> None:
        database = Database(path)
        with database.write(wakes=True):
            database.change("INSERT INTO job_counts VALUES ('leak', 'pending', 1)")
            line.say("inside")
            signal.pause()

    pid = forked(work)
    assert line.next() == "inside"
    os.kill(pid, signal.SIGKILL)
    exit_code_of(pid)
    began = time.monotonic()
    database = Database(path)
    add(database)
    assert time.monotonic() - began < 2
    assert database.rows("SELECT * FROM job_counts") == [("default", "pending", 1)]
    check_sound(database)
    database.close()


def test_four_producers_and_six_consumers_run_every_job_once(path: str) -> None:
    each, line = 60, Line()
    Database(path).close()

    def produce(number: int) -> None:
        database = Database(path, synchronous="normal")
        for n in range(each):
            add(database, new_job(f"p{number}-{n}"))

    def consume(number: int) -> None:
        database = Database(path, synchronous="normal")
        worker = add_worker(database, f"default-{number}")
        ended: list[claims.Ending] = []
        while database.rows("SELECT count(*) FROM jobs WHERE state = 'completed'")[0][0] < 4 * each:
            with database.write():
                assert claims.finish(database, worker, ended) == []
                taken = claims.claim(database, worker, None, range(1 + number % 3), NOW)
            for claim in taken:
                line.say(claim.id)
            ended = [ending(claim, State.COMPLETED, Outcome.COMPLETED) for claim in taken]

    pids = [forked(lambda n=n: produce(n)) for n in range(4)] + [forked(lambda n=n: consume(n)) for n in range(6)]
    assert [exit_code_of(pid) for pid in pids] == [0] * 10
    assert Counter(line.rest()) == Counter({f"p{p}-{n}": 1 for p in range(4) for n in range(each)})
    database = Database(path)
    assert database.rows("SELECT max(claim_seq), max(attempts) FROM jobs") == [(1, 1)]
    check_sound(database)
    database.close()


def test_enqueuing_beside_two_writers_at_full_speed_never_fails_or_waits_long(path: str) -> None:
    line = Line()
    database = Database(path)

    def saturate() -> None:
        own = Database(path)
        line.say("on")
        while True:
            with own.write():
                own.change("UPDATE jobs SET updated_at = updated_at + 1")

    pids = [forked(saturate), forked(saturate)]
    try:
        assert [line.next(), line.next()] == ["on", "on"]
        waits = []
        for _ in range(60):
            began = time.monotonic()
            add(database)
            waits.append(time.monotonic() - began)
        assert max(waits) < 3, sorted(waits)[-5:]  # the busy handler alone let one wait up to 4 s, and fail
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            exit_code_of(pid)
    check_sound(database)
    database.close()


def test_threads_share_a_database(path: str) -> None:
    database = Database(path, synchronous="normal")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                add(database)
                database.rows("SELECT count(*) FROM jobs")
        except BaseException as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert database.rows("SELECT count(*) FROM jobs") == [(160,)]
    check_sound(database)
    database.close()


def test_parent_and_child_of_a_fork_both_go_on(path: str) -> None:
    database = Database(path, synchronous="normal")
    add(database, new_job("before"))

    def work() -> None:
        for n in range(30):
            add(database, new_job(f"child-{n}"))
        database.close()

    pids = [forked(work) for _ in range(1)]
    for n in range(30):
        add(database, new_job(f"parent-{n}"))
    assert [exit_code_of(pid) for pid in pids] == [0]
    for n in range(5):  # the child's end has dropped no lock of ours
        add(database, new_job(f"after-{n}"))
    assert database.rows("SELECT count(*) FROM jobs") == [(66,)]
    check_sound(database)
    database.close()


def test_a_child_has_no_part_in_a_transaction_of_its_parent(path: str) -> None:
    database = Database(path)

    def work() -> None:
        assert not database.in_transaction()
        assert database.rows("SELECT count(*) FROM jobs") == [(0,)]
        database.close()

    with database.write():
        database.change("INSERT INTO job_counts VALUES ('q', 'pending', 0)")
        assert exit_code_of(forked(work)) == 0
        assert database.in_transaction()
    assert database.rows("SELECT queue FROM job_counts") == [("q",)]
    database.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_while_another_thread_writes_keeps_no_lock(path: str) -> None:
    database = Database(path)
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with database.write():
            inside.set()
            leave.wait(30)
        database.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(30)
    pid = forked(signal.pause)
    try:
        leave.set()
        thread.join(30)
        probe = WriteLock(database.lock_path, 2.0)
        probe.acquire()
        probe.release()
    finally:
        os.kill(pid, signal.SIGKILL)
        exit_code_of(pid)
        database.close()


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_foreign_program_that_holds_the_database_makes_it_unavailable_for_now(path: str, begin: str) -> None:
    database = Database(path, patience=0.3)
    add(database)
    line = Line()

    def hold() -> None:
        import sqlite3  # another library, but in a process of its own

        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute(begin)
        line.say("held")
        signal.pause()

    pid = forked(hold)
    try:
        assert line.next() == "held"
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="locked"):
            add(database)
        assert 0.2 < time.monotonic() - began < 5
    finally:
        os.kill(pid, signal.SIGKILL)
        exit_code_of(pid)
    add(database)
    check_sound(database)
    database.close()


def test_patience_bounds_the_wait_for_the_write_lock(path: str) -> None:
    line = Line()
    patient = Database(path, patience=0.2)

    def hold() -> None:
        with Database(path).write():
            line.say("held")
            signal.pause()

    pid = forked(hold)
    handler = signal.getsignal(signal.SIGALRM)
    try:
        assert line.next() == "held"
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="the write lock is taken"):
            add(patient)
        assert 0.15 < time.monotonic() - began < 5
        assert signal.getsignal(signal.SIGALRM) is handler
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        assert patient.rows("SELECT count(*) FROM jobs") == [(0,)]  # reading needs no lock
    finally:
        os.kill(pid, signal.SIGKILL)
        exit_code_of(pid)
    add(patient)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        add(patient)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    patient.close()


def test_a_commit_that_wakes_touches_the_lock_file_after_it_can_be_seen(path: str) -> None:
    from inotify_simple import INotify, flags

    database = Database(path, synchronous="normal")
    watch = INotify()
    try:
        watch.add_watch(database.lock_path, flags.MODIFY)
        for n in range(1, 20):
            pid = forked(lambda: add(Database(path)))
            assert watch.read(timeout=20_000)
            assert database.rows("SELECT count(*) FROM jobs") == [(n,)]
            exit_code_of(pid)
        with database.write():
            database.change("UPDATE jobs SET priority = 1")
        assert watch.read(timeout=0) == []
        assert os.stat(database.lock_path).st_size == 1
    finally:
        watch.close()
        database.close()


def test_a_database_that_was_removed_or_replaced_is_gone(path: str) -> None:
    database = Database(path)
    assert not database.is_gone()
    for end in ("", "-wal", "-shm"):
        os.rename(path + end, f"{path}.old{end}")
    assert database.is_gone()
    other = Database(path)
    assert database.is_gone()
    assert not other.is_gone()
    other.close()
    database.close()


def test_the_version_changes_when_others_commit(path: str) -> None:
    database = Database(path)
    before = database.version()
    assert database.version() == before
    assert exit_code_of(forked(lambda: add(Database(path)))) == 0
    assert database.version() != before
    database.close()
