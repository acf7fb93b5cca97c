"""Who does the maintenance: one worker at a time, however its leaders end."""

from __future__ import annotations

import os
import random
import signal
import threading
from subprocess import Popen

import pytest
from real_home import Home, until

from queuectl.domain.states import Outcome

ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGHUP)


class Pool:
    """Four workers, and whoever of them is the leader."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.elected: list[int] = []
        """The pids, in the order in which they said so."""
        self.workers = [self.start(number) for number in range(4)]

    def start(self, number: int) -> Popen[bytes]:
        worker = self.home.start("--instance", str(number), job_lock_timeout="1s")
        threading.Thread(target=self._read, args=(worker,), daemon=True).start()
        return worker

    def _read(self, worker: Popen[bytes]) -> None:
        assert worker.stderr is not None
        for line in worker.stderr:
            if b" leader.elected" in line:
                self.elected.append(worker.pid)

    def holders(self) -> set[int]:
        """The living that hold the lock, as the kernel says: it lists the machine's locks a page at a time, and shows
        one twice, or not at all, when another is taken or given up between two pages."""
        inode = os.stat(os.path.join(self.home.path, "locks", "leader.lock")).st_ino
        with open("/proc/locks") as file:
            rows = [line.split() for line in file]
        return {int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(f":{inode}")}


@pytest.fixture
def pool(home: Home) -> Pool:
    return Pool(home)


def test_one_of_four_leads_however_often_its_leader_ends(pool: Pool) -> None:
    chance = random.Random(7)
    for turn in range(1, 13):
        until(lambda turn=turn: len(pool.elected) >= turn, f"leader number {turn}")
        leader = pool.elected[-1]
        until(lambda leader=leader: pool.holders() == {leader}, "the leader alone to hold the lock")
        how = chance.choice(ENDS)
        number = [worker.pid for worker in pool.workers].index(leader)
        os.kill(leader, how)
        if how is signal.SIGHUP:
            # The next program of the same process may win again, as may any other.
            continue
        pool.workers[number].wait(20)
        pool.workers[number] = pool.start(number)
        job = pool.home.enqueue("true")
        assert pool.home.ended(job).attempts == 1


def test_the_next_leader_recovers_what_the_one_before_it_left(pool: Pool) -> None:
    until(lambda: pool.elected, "a leader")
    gate = os.path.join(pool.home.path, "gate")
    jobs = [
        pool.home.enqueue(f"until [ -e {gate} ]; do sleep 0.1; done", backoff_base=1, backoff_max=0) for _ in range(16)
    ]
    until(lambda: all(pool.home.queue.get(job).state.value == "processing" for job in jobs), "all slots to be taken")
    leader = [worker.pid for worker in pool.workers].index(pool.elected[0])
    pool.workers[leader].kill()
    open(gate, "w").close()
    ended = [pool.home.ended(job) for job in jobs]
    assert {job.state.value for job in ended} == {"completed"}
    first = [pool.home.queue.attempts(job)[0] for job in jobs]
    crashed = [attempt.worker for attempt in first if attempt.outcome is Outcome.CRASHED]
    assert crashed == [f"default-{leader}"] * 4
