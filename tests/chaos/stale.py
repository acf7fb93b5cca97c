"""A worker that was taken for dead comes back, and writes the end of what it ran: `python stale.py RUN`.

Made with whatever queuectl there is on the path: one with a fence, or one without.
"""

from __future__ import annotations

import os
import sys

import pysqlite3
from stage import MOVES

from queuectl import Queue
from queuectl.domain.states import Outcome, State
from queuectl.storage import claims, workers
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.workers import WorkerStart

RUN = sys.argv[1]


def trace(what: str, claim: Claim, moment: int, more: str = "") -> None:
    with open(os.path.join(RUN, "trace"), "a") as file:
        file.write(f"{what} {claim.id} {claim.number} {moment} 1{more}\n")


def main() -> None:
    queue = Queue(home=os.path.join(RUN, "home"))
    database = queue.database
    watching = pysqlite3.connect(database.path)
    watching.executescript(MOVES)
    watching.close()
    queue.enqueue("true", id="a", max_retries=3)
    frozen, other = (workers.register(database, WorkerStart(0, n, f"{n}-0", "h", "b", 1), 1) for n in ("f", "o"))
    now = queue.get("a").created_at

    with database.write():
        (first,) = claims.claim(database, frozen, None, [0], now)
    trace("begin", first, 1)
    crashed = Ending(first.job, "a", 1, State.FAILED, Outcome.CRASHED, now, now)
    with database.write():
        claims.finish(database, frozen, [crashed])
        (second,) = claims.claim(database, other, None, [0], now)
    trace("begin", second, 2)
    trace("end", second, 3, " 0")
    with database.write():
        claims.finish(database, other, [Ending(second.job, "a", 2, State.COMPLETED, Outcome.COMPLETED, now, None, 0)])
        # Here it is again.
        claims.finish(database, frozen, [Ending(first.job, "a", 1, State.FAILED, Outcome.FAILED, now, now)])
        left = claims.claim(database, other, None, [0], now)
        for claim in left:
            claims.finish(
                database,
                other,
                [Ending(claim.job, "a", claim.number, State.COMPLETED, Outcome.COMPLETED, now, None, 0)],
            )
    for claim in left:
        trace("begin", claim, 4)
        trace("end", claim, 5, " 0")
    queue.close()


if __name__ == "__main__":
    main()
