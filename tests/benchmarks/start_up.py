"""How long `queuectl enqueue -- true` takes, against a Python that imports what it can't do without."""

from __future__ import annotations

import statistics
import sys

from bench import QUEUECTL, Verdicts, fresh_home, seconds, spread

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def main() -> None:
    with fresh_home() as home:
        enqueue = [QUEUECTL, "enqueue", "--", "true"]
        python = [sys.executable, "-c", "import click, sqlite3, json"]
        for warm in (enqueue, python):
            seconds(warm, home.environment)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(enqueue, home.environment))
            theirs.append(seconds(python, home.environment))
    print(f"queuectl enqueue -- true: {spread(ours, ' ms', 1000)}")
    print(f"python -c 'import click, sqlite3, json': {spread(theirs, ' ms', 1000)}")
    verdict = Verdicts()
    verdict("ratio of the medians", statistics.median(ours) / statistics.median(theirs), "<", 2.2)
    verdict.exit()


main()
