"""Jobs that harm: each ends dead within its attempts, and costs those beside it one counted attempt at the most."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from real_home import Home, sleepers, until

from queuectl.domain.states import Outcome

_HERE = os.path.dirname(os.path.abspath(__file__))
QUICK = {"backoff_base": 1, "backoff_max": 0.1, "kill_grace": 0.5}
NEIGHBOUR = "sleep 1.5; echo done"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's processes, or a disk of its own")


def odd_number() -> str:
    return f"6{time.monotonic_ns() % 10**8}"


def beside(home: Home) -> list[str]:
    """Jobs that run in the same worker as what comes next."""
    jobs = [home.enqueue(NEIGHBOUR, **QUICK) for _ in range(3)]
    until(lambda: all(home.queue.get(job).state.value == "processing" for job in jobs), "the neighbours to run")
    return jobs


def ends_dead(home: Home, poison: str, attempts: int) -> None:
    ended = home.ended(poison, 60)
    assert (ended.state.value, ended.attempts) == ("dead", attempts)


def are_well(home: Home, jobs: list[str], hurt: int = 0) -> None:
    """They all complete, each after at most `hurt` counted attempts that didn't."""
    for job in jobs:
        ended = home.ended(job, 60)
        assert ended.state.value == "completed"
        assert ended.last is not None
        assert ended.last.tail == b"done\n"
        assert ended.attempts <= 1 + hurt
    assert home.ended(home.enqueue("true"), 20).attempts == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_one_that_kills_its_worker(home: Home, retries: int) -> None:
    home.cli("config", "set", "pools.default.concurrency", "4")
    home.cli("worker", "start")
    jobs = beside(home)
    poison = home.enqueue("kill -9 $PPID", max_retries=retries, **QUICK)
    ends_dead(home, poison, retries + 1)
    are_well(home, jobs, hurt=retries + 1)
    assert {attempt.outcome for attempt in home.queue.attempts(poison)} == {Outcome.CRASHED}


def test_one_that_exhausts_its_memory(home: Home) -> None:
    home.worker()
    jobs = beside(home)
    eat = "all = []\nwhile True: all.append(bytearray(10**7))"
    poison = home.enqueue(f"ulimit -v 400000; exec {sys.executable} -c '{eat}'", max_retries=1, **QUICK)
    ends_dead(home, poison, 2)
    are_well(home, jobs)


def test_one_that_the_kernel_ends_for_its_memory(home: Home) -> None:
    """Which chooses by this score: the job goes before its worker does."""
    home.worker()
    jobs = beside(home)
    poison = home.enqueue("cat /proc/self/oom_score_adj; kill -9 $$", max_retries=1, **QUICK)
    ends_dead(home, poison, 2)
    last = home.queue.get(poison).last
    assert last is not None
    assert last.tail is not None
    with open("/proc/self/oom_score_adj") as file:
        assert int(last.tail) > int(file.read()) or int(last.tail) == 1000
    are_well(home, jobs)


FORKS = {
    # Both are bounded by the number of processes of a user who has no others.
    "many": "b() {{ b & b & sleep {number}; }}; b",
    "a relay": "exec {python} -S -c 'import os, time\nwhile not os.fork(): time.sleep(0.001)\nos._exit(1)'",
}


AS_ANOTHER = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]


@as_root
@pytest.mark.parametrize("kind", FORKS)
def test_one_that_forks_without_end(home: Home, kind: str) -> None:
    home.worker()
    jobs = beside(home)
    number = odd_number()
    script = FORKS[kind].format(number=number, python=sys.executable)
    script = f'[ "$(ulimit -p)" = 150 ] || exit 2; {script}'  # never without the bound
    argv = ["prlimit", "--nproc=150:150", *AS_ANOTHER, "sh", "-c", script]
    poison = home.enqueue(argv, cwd="/", timeout=1, max_retries=1, **QUICK)
    ends_dead(home, poison, 2)
    are_well(home, jobs)
    assert sleepers(number) == []
    assert subprocess.run(["ps", "-u", "54321", "-o", "pid="], capture_output=True, text=True).stdout.split() == []


@pytest.mark.parametrize(
    "script",
    [
        "sleep {n} & exit 3",
        "setsid sleep {n} & exit 3",
        "(trap '' TERM; setsid sleep {n}) & exit 3",
        "sleep {n} & kill -9 $$",
    ],
)
def test_one_that_holds_its_stdout_open_after_its_end(home: Home, script: str) -> None:
    home.worker()
    jobs = beside(home)
    number = odd_number()
    poison = home.enqueue(script.format(n=number), max_retries=1, **QUICK)
    ends_dead(home, poison, 2)
    assert sleepers(number) == []
    are_well(home, jobs)


ON_A_DISK = """
import sys, test_poison
from real_home import Home
home = Home("/mnt/home")
try:
    test_poison.fill_the_disk(home, sys.argv[1])
finally:
    home.close()
"""


def fill_the_disk(home: Home, script: str) -> None:
    home.worker(min_free_space="16MiB", output_limit="1MiB")
    jobs = beside(home)
    poison = home.enqueue(script, max_retries=1, output_limit=2**20, **QUICK)
    ends_dead(home, poison, 2)
    are_well(home, jobs)
    assert len(home.queue.attempts(poison)) == 2  # none was given back, as it would be if the host were to blame
    free = os.statvfs("/mnt")
    assert free.f_bavail * free.f_frsize > 64 * 2**20
    assert os.stat(home.queue.output_path(poison, 2)).st_size < 2 * 2**20


@as_root
@pytest.mark.parametrize("script", ["cat /dev/zero", "yes", "cat /dev/zero & cat /dev/zero; sleep 1; exit 1"])
def test_one_that_fills_the_disk_with_its_output(script: str) -> None:
    mount = 'mount -t tmpfs -o size=96m none /mnt && mkdir /mnt/home && exec "$@"'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-c", ON_A_DISK, script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
