"""Jobs a second that `enqueue --lines` takes in, 100,000 at a time, start-up included."""

from __future__ import annotations

import os
import statistics
import sys

from bench import QUEUECTL, Verdicts, fresh_home, seconds, spread

JOBS, ROUNDS = 100_000, int(sys.argv[1]) if len(sys.argv) > 1 else 5


def main() -> None:
    rates = []
    for _ in range(ROUNDS):
        with fresh_home() as home:
            home.cli("status")
            lines = os.path.join(home.path, "lines")
            with open(lines, "w") as file:
                file.writelines(f"echo job number {number}\n" for number in range(JOBS))
            rates.append(JOBS / seconds([QUEUECTL, "enqueue", "--lines", lines], home.environment))
            assert home.cli("list", "--limit", "0", "-o", "id").count("\n") == JOBS
    print(f"enqueue --lines: {spread(rates, ' jobs/s')}")
    verdict = Verdicts()
    verdict("jobs a second", statistics.median(rates), ">", 30_000)
    verdict.exit()


main()
