"""What a run of the harness acts on: a home, real supervised workers, enqueuers, and the conditions they live in."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

import pysqlite3
from building import build
from disk import check_disk, mount_disk, unmount_disk

from queuectl import Queue

_HERE = os.path.dirname(os.path.abspath(__file__))
QUEUECTL = [sys.executable, "-m", "queuectl"]
WORKERS = 3
SETTINGS = """\
pools: {default: {workers: 3, concurrency: 4}}
kill_grace: 0.5s
shutdown_timeout: 1s
job_lock_timeout: 2s
min_free_space: 16MiB
cleanup_completed_after_hours: 0
retention: {dead: 0}
"""
# Whoever writes a state is noted here, in the same transaction: that nothing was ended twice can be seen nowhere else.
MOVES = """
CREATE TABLE chaos_moves (n INTEGER PRIMARY KEY, job INTEGER, before TEXT, after TEXT, claim INTEGER);
CREATE TRIGGER chaos_see AFTER UPDATE OF state ON jobs BEGIN
    INSERT INTO chaos_moves (job, before, after, claim) VALUES (new.id, old.state, new.state, new.claim_seq);
END;
"""


class Stage:
    def __init__(self, run: str, seed: int) -> None:
        self.run = run
        self.home = os.path.join(run, "home")
        self.outputs = os.path.join(self.home, "output")
        self.seed = seed
        self.enqueuers: dict[int, subprocess.Popen[bytes]] = {}
        self.generation = 0
        self.commands: list[subprocess.Popen[bytes]] = []
        self.failed_commands = 0
        os.makedirs(os.path.join(run, "acks"))
        self.tracer = build("tracer", run)
        self._page = os.open(os.path.join(run, "conditions"), os.O_RDWR | os.O_CREAT, 0o600)
        self.set_conditions()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        self.environment = {
            **kept,
            "LD_PRELOAD": build("conditions", run),
            "CHAOS_CONDITIONS": os.path.join(run, "conditions"),
        }
        os.makedirs(self.home, exist_ok=True)
        with open(os.path.join(self.home, "queuectl.yaml"), "w") as file:
            file.write(SETTINGS)
            file.flush()
            os.fsync(file.fileno())  # the disk may break at once
        self.queue = Queue(home=self.home)
        # The library's own SQLite, a connection of its own: two libraries in one process would drop each other's locks.
        watching = pysqlite3.connect(self.queue.database.path)
        watching.executescript(MOVES)
        watching.close()
        self.log: IO[bytes] = open(os.path.join(run, "log"), "ab")  # noqa: SIM115

    def set_conditions(self, *, clock: float = 0, sync: float = 0, fail: bool = False) -> None:
        """Step the wall clock, and slow each sync, by so many seconds; have syncs fail."""
        os.pwrite(self._page, struct.pack("<qqq", int(clock * 1e9), int(sync * 1e6), fail), 0)

    # Processes

    def _with(self, *needed: bytes) -> list[int]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as file:
                        words = file.read().split(b"\0")
                except OSError:
                    continue
                if all(word in words for word in needed):
                    found.append(int(name))
        return sorted(found)

    def workers(self) -> list[int]:
        return self._with(b"worker", b"run", self.home.encode())

    def supervisord(self) -> list[int]:
        return self._with(os.path.join(self.home, "supervisor", "supervisord.conf").encode())

    def jobs(self) -> list[int]:
        return self._with(self.tracer.encode())

    def spawn(self, *argv: str) -> subprocess.Popen[bytes]:
        """Something that goes on beside."""
        return subprocess.Popen(
            argv, cwd=self.run, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def command(self, *words: str) -> None:
        """Run queuectl beside all else."""
        self.commands.append(self.spawn(*QUEUECTL, "--home", self.home, *words))

    def enqueue(self, number: int, count: int | None = None) -> None:
        """Start an enqueuer, in the place of the former one of that number."""
        self.generation += 1
        name = f"e{number}.{self.generation}"
        words = [os.path.join(_HERE, "enqueuer.py"), self.run, name, f"{self.seed}/{name}"]
        self.enqueuers[number] = self.spawn(sys.executable, *words, *([] if count is None else [str(count)]))

    def tend(self) -> None:
        """Start the enqueuers that were killed anew, and see which commands have ended."""
        for number, process in list(self.enqueuers.items()):
            if process.poll() is not None:
                self.enqueue(number)
        for process in [each for each in self.commands if each.poll() is not None]:
            self.commands.remove(process)
            self.failed_commands += process.returncode != 0

    def repair_disk(self) -> None:
        """What a reboot does: all that use the disk are gone, it is checked, and the workers are started anew."""
        self.queue.close()
        deadline = time.monotonic() + 30
        while not unmount_disk(self.run):
            if time.monotonic() > deadline:
                raise TimeoutError("somebody keeps the broken disk")
            self._kill_all()
            time.sleep(0.02)
        check_disk(self.run)
        mount_disk(self.run)
        ballast = os.path.join(self.home, "ballast")
        if os.path.exists(ballast):
            os.unlink(ballast)
        self.commands.clear()
        self.command("worker", "start", "--count", str(WORKERS))

    def _kill_all(self) -> None:
        for process in [*self.enqueuers.values(), *self.commands]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for pid in [*self.supervisord(), *self.workers(), *self.jobs()]:
            send(pid, signal.SIGKILL)

    # The end

    def unended(self) -> int:
        counted = self.queue.database.rows(
            "SELECT sum(n) FROM job_counts WHERE state NOT IN ('completed', 'dead', 'cancelled')"
        )
        return counted[0][0] or 0

    def drain(self, patience: float) -> bool:
        """Let the enqueuers end, and all jobs; False where they didn't, in `patience` seconds."""
        # What was put off while the clock was an hour ahead is due by now.
        self.set_conditions(clock=3700)
        for process in self.enqueuers.values():
            process.terminate()
        for process in self.enqueuers.values():
            process.wait(60)
        for pid in self.workers():
            send(pid, signal.SIGCONT)
        for process in self.commands:
            process.wait(120)
        for _ in range(5):
            start = self.spawn(*QUEUECTL, "--home", self.home, "worker", "start", "--count", str(WORKERS))
            if start.wait(120) == 0:
                break
        else:
            return False
        if not wait(lambda: self.unended() == 0, patience):
            return False
        # The leader still tidies up after the last that were killed.
        return wait(lambda: len([name for name in os.listdir(self.outputs) if name[0] == "+"]) <= WORKERS, 20)

    def stop(self, *, force: bool) -> None:
        words = ["worker", "stop", *(["--force"] if force else [])]
        self.spawn(*QUEUECTL, "--home", self.home, *words).wait(120)

    def close(self) -> None:
        """End whatever is left of all that this run started."""
        self.queue.close()
        self._kill_all()
        self.log.close()
        os.close(self._page)


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
