"""From the enqueue of a job to its start, on a worker that waits for it."""

from __future__ import annotations

import statistics
import sys

from bench import Verdicts, fresh_home, spread

from queuectl import Queue

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 50


def main() -> None:
    waits = []
    with fresh_home() as home:
        queue = Queue(home=home.path)
        worker = home.start("worker", "run")
        try:
            queue.wait(home.cli("enqueue", "--", "true").strip(), 20)
            for _ in range(JOBS):
                job = queue.wait(home.cli("enqueue", "--", "true").strip(), 20)
                assert job.last is not None
                waits.append(job.last.started_at - job.created_at)
        finally:
            worker.terminate()
            worker.wait(20)
            queue.close()
    print(f"from created to started: {spread(waits, ' ms')}")
    verdict = Verdicts()
    verdict("median", statistics.median(waits), "<", 20, " ms")
    verdict.exit()


main()
