"""Looks at the queue must not get slower as it grows: `list --limit 20` and `status`, 100,000 jobs against 100."""

from __future__ import annotations

import statistics
import sys

from bench import QUEUECTL, Home, Verdicts, fresh_home, seconds, spread

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
COMMANDS = (["list", "--limit", "20"], ["list", "--limit", "20", "--state", "pending"], ["status"])


def fill(home: Home, jobs: int) -> None:
    home.cli("enqueue", "--lines", "-", given="true\n" * (jobs - 20))
    # Some that ended, so that not all are of one state.
    home.cli("enqueue", "--lines", "-", "--queue", "other", given="true\n" * 20)
    home.cli("config", "set", "pools.other.queues", "[other]")
    home.cli("worker", "run", "--drain", "--pool", "other")


def main() -> None:
    verdict = Verdicts()
    with fresh_home() as small, fresh_home() as big:
        fill(small, 100)
        fill(big, 100_000)
        for words in COMMANDS:
            few, many = [], []
            for _ in range(ROUNDS):
                few.append(seconds([QUEUECTL, *words], small.environment))
                many.append(seconds([QUEUECTL, *words], big.environment))
            print(f"{' '.join(words)}, 100 jobs: {spread(few, ' ms', 1000)}")
            print(f"{' '.join(words)}, 100,000 jobs: {spread(many, ' ms', 1000)}")
            verdict(" ".join(words), statistics.median(many) / statistics.median(few), "<=", 1.2)
    verdict.exit()


main()
