"""What runs when the power fails: `python power_driver.py HOME ACKS SEED SYNCHRONOUS`, under forgetful.so.

Enqueues, claims, finishes, records pids without a sync, forgets, and checkpoints, by chance; notes in ACKS each id that
was acknowledged.
"""

from __future__ import annotations

import os
import random
import sys

from queue_file import NOW, add, add_worker, ending, new_job

from queuectl.domain.states import Outcome, State
from queuectl.storage import claims, retention
from queuectl.storage.claims import Process
from queuectl.storage.database import Database


def main() -> None:
    home, acks, seed, synchronous = sys.argv[1:]
    chance = random.Random(seed)
    database = Database(os.path.join(home, "queue.db"), synchronous=synchronous, checkpoints=False)
    notes = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    worker = add_worker(database, f"w{os.getpid()}")
    made = 0
    while True:
        action = chance.random()
        if action < 0.6:
            made += 1
            jobs = [new_job(f"{seed}-{made}-{n}") for n in range(chance.randint(1, 3))]
            for job in add(database, *jobs):
                os.write(notes, f"{job}\n".encode())
        elif action < 0.9:
            with database.write():
                taken = claims.claim(database, worker, None, range(3), NOW)
            with database.write(synced=False):
                started = [(each.job, each.number, Process(1, 1, NOW)) for each in taken]
                claims.record_started(database, started)
            with database.write():
                endings = [ending(each, State.COMPLETED, Outcome.COMPLETED) for each in taken]
                claims.finish(database, worker, endings)
        else:
            retention.checkpoint(database, truncate=action > 0.95)


if __name__ == "__main__":
    main()
