"""Enqueues one by one while two workers drain as fast as they can: each succeeds, and none waits for long."""

from __future__ import annotations

import sys

from bench import QUEUECTL, Home, Verdicts, fresh_home, seconds, spread

ENQUEUES = int(sys.argv[1]) if len(sys.argv) > 1 else 200


def busy(home: Home) -> bool:
    return bool(home.cli("list", "--state", "pending", "--queue", "load", "--limit", "1", "-o", "id"))


def main() -> None:
    with fresh_home() as home:
        home.cli("config", "set", "pools.default.workers", "2")
        home.cli("config", "set", "pools.default.concurrency", "4")
        home.cli("enqueue", "--queue", "load", "--lines", "-", given="true\n" * 100_000)
        enqueue = [QUEUECTL, "enqueue", "--", "true"]
        seconds(enqueue, home.environment)
        workers = [home.start("worker", "run") for _ in range(2)]
        try:
            took = [seconds(enqueue, home.environment) for _ in range(ENQUEUES)]
            assert all(worker.poll() is None for worker in workers)
            assert busy(home), "the workers ran out of jobs before the end"
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(30)
        assert home.cli("list", "--queue", "default", "--limit", "0", "-o", "id").count("\n") == ENQUEUES + 1
    print(f"queuectl enqueue beside two busy workers: {spread(took, ' ms', 1000)}")
    verdict = Verdicts()
    verdict("the slowest", max(took), "<", 0.5, " s")
    verdict.exit()


main()
