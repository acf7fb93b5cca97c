"""Jobs a second: 3000 `true` on two workers, start-up included, against xargs, which keeps no queue and no record."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench import Home, Verdicts, fresh_home, spread

from queuectl import Queue

JOBS, ROUNDS = 3000, int(sys.argv[1]) if len(sys.argv) > 1 else 3
TARGETS = {4: 0.5, 1: 0.35}


def xargs() -> float:
    began = time.perf_counter()
    subprocess.run(f"seq {JOBS} | xargs -P2 -n1 sh -c true", shell=True, check=True)
    return JOBS / (time.perf_counter() - began)


def drained(home: Home, concurrency: int) -> float:
    home.cli("config", "set", "pools.default.workers", "2")
    home.cli("config", "set", "pools.default.concurrency", str(concurrency))
    home.cli("enqueue", "--lines", "-", given="true\n" * JOBS)
    began = time.perf_counter()
    codes = [worker.wait() for worker in [home.start("worker", "run", "--drain") for _ in range(2)]]
    took = time.perf_counter() - began
    assert codes == [0, 0], codes
    return JOBS / took


def check(home: Home) -> None:
    """Each job ran once, and how it went is on record."""
    queue = Queue(home=home.path)
    ids = [job.id for job in queue.jobs(limit=None)]
    assert len(ids) == JOBS
    for each in ids:
        (attempt,) = queue.attempts(each)
        assert attempt.pid, attempt
        assert attempt.exit_code == 0, attempt
        assert attempt.max_rss, attempt
        assert attempt.output_size is not None, attempt
    assert len({queue.attempts(each)[0].worker for each in ids}) == 2
    queue.close()


def main() -> None:
    xs: list[float] = []
    ours: dict[int, list[float]] = {concurrency: [] for concurrency in TARGETS}
    ratios: dict[int, list[float]] = {concurrency: [] for concurrency in TARGETS}
    for _ in range(ROUNDS):
        for concurrency in TARGETS:
            xs.append(xargs())
            with fresh_home() as home:
                ours[concurrency].append(drained(home, concurrency))
                check(home)
            ratios[concurrency].append(ours[concurrency][-1] / xs[-1])
    print(f"xargs -P2: {spread(xs, ' jobs/s')}")
    verdict = Verdicts()
    for concurrency, target in TARGETS.items():
        print(f"two workers, concurrency {concurrency}: {spread(ours[concurrency], ' jobs/s')}")
        print(f"  of xargs: {spread(ratios[concurrency])}")
        verdict(f"concurrency {concurrency} of xargs", statistics.median(ratios[concurrency]), ">", target)
    print("every attempt has its pid, exit code, max RSS and output on record")
    verdict.exit()


main()
