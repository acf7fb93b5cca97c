"""Enqueues until it is told to stop, or killed, and notes each job of which it was told that it is in.

    python enqueuer.py RUN NAME SEED [COUNT]

The note is on disk before the next job: `ack ID`, `refused ID` (an error said that nothing was written), `unsure ID`
(an error said that nobody knows), `cancel ID` (about to ask for it).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

from queuectl import Queue
from queuectl.errors import DatabaseUnsure, QueuectlError

BACKLOG = 300
"""Jobs that wait, above which there is a pause."""
MANY = 60
"""Retries of a job that is to complete however often its worker is killed."""
KINDS: dict[str, tuple[int, str, str, tuple[int, int], dict[str, object]]] = {
    # weight, mode, exit, milliseconds from and to, keys of the job
    "quick": (40, "plain", "0", (0, 30), {"max_retries": MANY}),
    "long": (10, "plain", "0", (400, 2500), {"max_retries": MANY}),
    "flaky": (12, "plain", "f3", (0, 60), {"max_retries": MANY}),
    "failing": (5, "plain", "7", (0, 60), {"max_retries": 1}),
    "once": (4, "plain", "0", (20, 300), {"max_retries": 0}),
    "fork": (7, "fork", "0", (20, 300), {"max_retries": MANY}),
    "setsid": (7, "setsid", "0", (20, 300), {"max_retries": MANY}),
    "bare": (5, "bare", "0", (20, 600), {"max_retries": MANY}),
    "print": (4, "print", "0", (0, 400), {"max_retries": MANY, "output_limit": 256 * 1024}),
    "stubborn": (3, "stubborn", "0", (1500, 3000), {"max_retries": 2, "timeout": 0.4, "kill_grace": 0.2}),
    "later": (3, "plain", "0", (0, 30), {"max_retries": MANY, "delay": 0.7}),
}


class Enqueuer:
    def __init__(self, run: str, name: str, seed: str) -> None:
        self.run = run
        self.name = name
        self.random = random.Random(seed)
        self.queue = Queue(home=os.path.join(run, "home"))
        self.notes = os.open(os.path.join(run, "acks", name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.made = 0

    def note(self, what: str, job: str) -> None:
        os.write(self.notes, f"{what} {job}\n".encode())
        os.fsync(self.notes)

    def one(self) -> None:
        """Enqueue one job, by the library or, now and then, by the command line; cancel it, now and then."""
        kind = self.random.choices(list(KINDS), [weight for weight, *_ in KINDS.values()])[0]
        _, mode, code, (shortest, longest), keys = KINDS[kind]
        self.made += 1
        job = f"{self.name}-{self.made}-{kind}"
        milliseconds = str(self.random.randint(shortest, longest))
        argv = [os.path.join(self.run, "tracer"), os.path.join(self.run, "trace"), milliseconds, code, mode]
        by_command_line = self.random.random() < 0.03
        cancelled = self.random.random() < 0.03
        keys = {**keys, "id": job, "backoff_base": 1, "backoff_max": 0.3}
        try:
            if by_command_line:
                self.by_command_line(job, {**keys, "argv": argv})
            else:
                self.queue.enqueue(argv, **keys)
                self.note("ack", job)
        except QueuectlError as error:
            self.note("unsure" if isinstance(error, DatabaseUnsure) else "refused", job)
            print(f"{job}: refused: {error}", file=sys.stderr, flush=True)
            time.sleep(0.2)
            return
        if cancelled:
            self.note("cancel", job)
            try:
                self.queue.cancel(job)
            except QueuectlError as error:
                print(f"{job}: not cancelled: {error}", file=sys.stderr, flush=True)

    def by_command_line(self, job: str, document: dict[str, object]) -> None:
        words = [
            sys.executable,
            "-m",
            "queuectl",
            "enqueue",
            "--home",
            os.path.join(self.run, "home"),
            json.dumps(document),
        ]
        done = subprocess.run(words, capture_output=True, text=True)
        unsure = "it may be in, or not" in done.stderr
        self.note("ack" if done.returncode == 0 else "unsure" if unsure else "refused", job)

    def waiting(self) -> int:
        counts = self.queue.database.rows("SELECT sum(n) FROM job_counts WHERE state IN ('pending', 'processing')")
        return counts[0][0] or 0


def main() -> None:
    run, name, seed = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else None
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
    enqueuer = Enqueuer(run, name, seed)
    while not stop and (count is None or enqueuer.made < count):
        enqueuer.one()
        if enqueuer.made % 20 == 0:
            while not stop and enqueuer.waiting() > BACKLOG:
                time.sleep(0.1)
        time.sleep(enqueuer.random.uniform(0, 0.12) if count is None else 0)


if __name__ == "__main__":
    main()
