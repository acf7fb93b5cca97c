"""A home with real workers, and ways to look at what they do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from queuectl import Queue
from queuectl.domain.job import Job

QUEUECTL = os.path.join(os.path.dirname(sys.executable), "queuectl")


def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Wait for a condition to hold, and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet doesn't."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def sleepers(seconds: str) -> list[int]:
    """The living processes whose command is exactly `sleep SECONDS`: a test gives each of its jobs an odd number."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")[:-1]
                if words == [b"sleep", seconds.encode()] and alive(int(name)):
                    found.append(int(name))
    return found


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Home:
    """A queue of its own, and the processes that a test starts on it."""

    def __init__(self, path: str) -> None:
        self.path = path
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        self.environment = {**kept, "QUEUECTL_HOME": path}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.lines: list[str] = []
        self.before_worker: list[str] = []
        """A command that workers are run by, such as setpriv with its options."""
        self._queue: Queue | None = None

    @property
    def queue(self) -> Queue:
        if self._queue is None:
            self._queue = Queue(home=self.path)
        return self._queue

    def cli(self, *words: str, code: int | None = 0, given: str | None = None) -> str:
        """Run the installed queuectl; returns its stdout."""
        done = subprocess.run(
            [QUEUECTL, *words], env=self.environment, input=given, capture_output=True, text=True, timeout=60
        )
        assert code is None or done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def document(self, *words: str) -> Any:
        return json.loads(self.cli(*words, "--json"))

    def enqueue(self, command: str | list[str], **keys: object) -> str:
        return self.queue.enqueue(command, **keys).id

    def ended(self, job: str, seconds: float = 30) -> Job:
        return self.queue.wait(job, seconds)

    def in_state(self, job: str, state: str, seconds: float = 20) -> Job:
        return until(
            lambda: found if (found := self.queue.get(job)).state.value == state else None,
            f"{job} to be {state}",
            seconds,
        )

    def worker(self, *words: str, concurrency: int = 4, **settings: str) -> subprocess.Popen[bytes]:
        """Run a worker in the foreground, and return once it serves. Settings are keys of the configuration."""
        process = self.start(*words, concurrency=concurrency, **settings)
        self.await_log(process, "worker.started")
        return process

    def start(self, *words: str, concurrency: int = 4, **settings: str) -> subprocess.Popen[bytes]:
        """Run a worker in the foreground."""
        os.makedirs(os.path.join(self.path, "config.d"), exist_ok=True)
        with open(os.path.join(self.path, "config.d", "10-test.yaml"), "w") as file:
            file.write(f"pools: {{default: {{workers: 2, concurrency: {concurrency}}}}}\n")
        environment = {**self.environment, "QUEUECTL_LOG_LEVEL": "debug"}
        environment |= {f"QUEUECTL_{key.upper()}": value for key, value in settings.items()}
        process = subprocess.Popen(
            [*self.before_worker, QUEUECTL, "worker", "run", *words],
            env=environment,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.workers.append(process)
        return process

    def await_log(self, process: subprocess.Popen[bytes], event: str) -> str:
        """Read the worker's log up to a line with that event."""
        assert process.stderr is not None
        for raw in process.stderr:
            line = raw.decode()
            self.lines.append(line)
            if f" {event}" in line:
                return line
        raise AssertionError(f"the log ended without {event}:\n" + "".join(self.lines))

    def close(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGQUIT)
        for process in self.workers:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()
        if os.path.exists(os.path.join(self.path, "supervisor", "supervisord.conf")):
            self.cli("worker", "stop", "--force", code=None)
        if self._queue is not None:
            self._queue.close()
        shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def fresh_home() -> Iterator[Home]:
    """A queue of its own; what is started on it ends with it."""
    # Not pytest's tmp_path, which is too long for a socket where tests run in parallel.
    home = Home(tempfile.mkdtemp(prefix="q-", dir="/tmp"))
    try:
        yield home
    finally:
        home.close()
