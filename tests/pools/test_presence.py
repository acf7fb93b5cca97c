from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from worker_home import eventually

from queuectl.errors import ServiceError
from queuectl.pools.presence import SIZE, Presence, Record, Taken, first_free, sight, sightings

RECORD = Record("0" * 32, os.getpid(), "running", 1, 7, 1_700_000_000_000, 3)

HOLDER = """
import sys, time
from queuectl.pools.presence import Presence, Record
presence = Presence.acquire(sys.argv[1], "p", 0)
presence.publish(Record("u", 1, "running", 0, 0, 0, 0))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def locks(tmp_path: Path) -> str:
    return str(tmp_path)


def test_one_at_a_time(locks: str) -> None:
    mine = Presence.acquire(locks, "p", 0)
    mine.publish(RECORD)
    with pytest.raises(Taken, match=f"worker p-0 runs already .pid {os.getpid()}.") as caught:
        Presence.acquire(locks, "p", 0)
    assert caught.value.record == RECORD
    assert mine.name == "p-0"
    mine.close()
    mine.close()
    Presence.acquire(locks, "p", 0).close()
    assert os.listdir(locks) == []


def test_what_others_see(locks: str) -> None:
    assert sightings(locks + "/none") == []
    mine = Presence.acquire(locks, "a-pool", 10)
    other = Presence.acquire(locks, "a-pool", 9)
    (Path(locks) / "leader.lock").touch()
    (Path(locks) / "x-y.lock").touch()
    before = time.time_ns() // 10**6
    mine.publish(RECORD)
    nine, ten = sightings(locks)
    assert (nine.name, nine.held, nine.record) == ("a-pool-9", True, None)
    assert (ten.name, ten.pool, ten.instance, ten.held, ten.record) == ("a-pool-10", "a-pool", 10, True, RECORD)
    assert before - 100 <= ten.beat_at <= time.time_ns() // 10**6 + 100
    assert sight(locks, "a-pool", 11) is None
    other.close()
    mine.close()


def test_the_file_is_private_and_always_as_long(locks: str) -> None:
    mine = Presence.acquire(locks, "p", 0)
    for record in (RECORD, RECORD._replace(done=10**12), RECORD):
        mine.publish(record)
        found = os.stat(mine.path)
        assert (found.st_size, found.st_mode & 0o777) == (SIZE, 0o600)
        seen = sight(locks, "p", 0)
        assert seen is not None
        assert seen.record == record
    with pytest.raises(ValueError, match="at most 512 bytes"):
        mine.publish(RECORD._replace(uuid="x" * 600))
    mine.close()


def test_a_killed_worker_holds_nothing_and_leaves_its_record(locks: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, locks], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Taken):
            Presence.acquire(locks, "p", 0)
        holder.kill()
    (seen,) = sightings(locks)
    assert not seen.held
    assert seen.record is not None
    assert seen.record.uuid == "u"
    mine = Presence.acquire(locks, "p", 0)
    # The dead one's record isn't taken for the new one's.
    (seen,) = sightings(locks)
    assert (seen.held, seen.record) == (True, None)
    mine.close()


def test_children_inherit_no_lock(locks: str) -> None:
    mine = Presence.acquire(locks, "p", 0)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        mine.close()
        Presence.acquire(locks, "p", 0).close()
        child.kill()


def test_blocking_waits_for_the_end_of_the_holder(locks: str) -> None:
    mine = Presence.acquire(locks, "p", 0)
    got: list[Presence] = []
    thread = threading.Thread(target=lambda: got.append(Presence.acquire(locks, "p", 0, block=True)))
    thread.start()
    # It has opened the file, which its holder is about to remove.
    eventually(lambda: len(os.listdir("/proc/self/fd")) and any_waiting(mine.path))
    mine.close()
    thread.join(10)
    (other,) = got
    # What it holds is what others find.
    with pytest.raises(Taken):
        Presence.acquire(locks, "p", 0)
    other.close()


def any_waiting(path: str) -> bool:
    inode = os.stat(path).st_ino
    with open("/proc/locks") as file:
        return any("->" in line and f":{inode} " in line for line in file)


def test_numbers_are_given_once_each_however_many_ask(locks: str) -> None:
    barrier, got = threading.Barrier(8), list[Presence]()

    def ask() -> None:
        barrier.wait()
        got.append(first_free(locks, "p"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(each.instance for each in got) == list(range(8))
    got[[each.instance for each in got].index(3)].close()
    again = first_free(locks, "p")
    assert again.instance == 3
    again.close()
    for each in got:
        each.close()


def test_probing_disturbs_nobody(locks: str) -> None:
    """Two who look don't see each other, and a worker isn't turned away because of them."""
    (Path(locks) / "p-0.lock").write_bytes(b" " * SIZE)
    done, mistakes = threading.Event(), list[str]()

    def probe() -> None:
        while not done.is_set():
            sightings(locks)

    def probe_free() -> None:
        while not done.is_set():
            seen = sight(locks, "q", 0)
            if seen is not None and seen.held:
                mistakes.append("a probe was taken for a worker")

    (Path(locks) / "q-0.lock").write_bytes(b" " * SIZE)
    threads = [threading.Thread(target=each) for each in (probe, probe, probe_free)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            Presence.acquire(locks, "p", 0).close()
    finally:
        done.set()
        for thread in threads:
            thread.join(10)
    assert mistakes == []


def test_many_workers_in_turn_are_never_two(locks: str) -> None:
    """The file is removed and made again all the time; whoever holds its lock is alone."""
    inside, most = [0], [0]
    guard = threading.Lock()

    def live() -> None:
        for _ in range(100):
            mine = Presence.acquire(locks, "p", 0, block=True)
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with guard:
                inside[0] -= 1
            mine.close()

    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (inside, most) == ([0], [1])


def test_the_lock_survives_an_exec(locks: str) -> None:
    after = (
        "import os, sys, time; from queuectl.pools.presence import Presence, Record, sight\n"
        "mine = Presence.adopt(int(sys.argv[2]), sys.argv[1], 'p', 0)\n"
        "assert not os.get_inheritable(mine.fileno())\n"
        "mine.publish(Record('after', os.getpid(), 'running', 0, 0, 0, 1))\n"
        "print('adopted', flush=True); sys.stdin.read(); mine.close()"
    )
    before = (
        "import os, sys; from queuectl.pools.presence import Presence\n"
        "mine = Presence.acquire(sys.argv[1], 'p', 0); os.set_inheritable(mine.fileno(), True)\n"
        f"os.execv(sys.executable, [sys.executable, '-c', {after!r}, sys.argv[1], str(mine.fileno())])"
    )
    argv = [sys.executable, "-c", before, locks]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"adopted\n"
        with pytest.raises(Taken) as caught:
            Presence.acquire(locks, "p", 0)
        assert caught.value.record is not None
        assert (caught.value.record.uuid, caught.value.record.pid) == ("after", worker.pid)
    assert worker.returncode == 0
    assert os.listdir(locks) == []


def test_adopting_something_else_is_refused(locks: str) -> None:
    with open(f"{locks}/other", "w") as other, pytest.raises(ServiceError, match=r"to be the lock .*p-0.lock"):
        Presence.adopt(other.fileno(), locks, "p", 0)
    with pytest.raises(ServiceError, match="expected descriptor 999"):
        Presence.adopt(999, locks, "p", 0)


def test_a_damaged_record_is_none(locks: str) -> None:
    for text in ("{", "[1,2]", "5", "\xff"):
        (Path(locks) / "p-0.lock").write_text(text.ljust(SIZE))
        seen = sight(locks, "p", 0)
        assert seen is not None
        assert seen.record is None


def test_no_directory_is_an_error_that_says_where(locks: str) -> None:
    with pytest.raises(ServiceError, match=r"none/p-0\.lock: can't be written"):
        Presence.acquire(f"{locks}/none", "p", 0)
