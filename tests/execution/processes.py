"""Attempts for tests, and an end to all that they started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from queuectl.domain.job import Spec
from queuectl.execution.environment import inherited
from queuectl.execution.mark import VARIABLE, Mark, mark_of
from queuectl.execution.spawn import spawn
from queuectl.execution.tree import Termination, members


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't come true in time"
        time.sleep(0.005)


class Runner:
    """Runs commands as attempts, each with a mark of its own, and ends what is left of them."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.started: list[tuple[Mark, int]] = []
        self.mark = mark_of("0" * 32, 0, 0)

    def output(self) -> str:
        with open(self.output_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def output_file(self) -> str:
        return os.path.join(self.directory, "out")

    def start(self, command: str | tuple[str, ...], env: dict[str, str] | None = None, **fields: object) -> int:
        """Start it; `mark` is its mark from now on."""
        self.mark = mark_of(os.urandom(16).hex(), 1, len(self.started) + 1)
        argv = None if isinstance(command, str) else command
        spec = Spec(command if isinstance(command, str) else "")._replace(argv=argv, cwd=self.directory)
        environment = {**inherited(os.environ), **(env or {}), VARIABLE: self.mark.text}
        fd = os.open(self.output_file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            encoded = {name.encode(): value.encode() for name, value in environment.items()}
            pid = spawn(spec._replace(**fields), self.mark, encoded, fd)
        finally:
            os.close(fd)
        self.started.append((self.mark, pid))
        return pid

    def run(self, command: str | tuple[str, ...], env: dict[str, str] | None = None, **fields: object) -> str:
        """Run it to its end, which must be a good one; its output."""
        status = os.waitpid(self.start(command, env, **fields), 0)[1]
        assert os.waitstatus_to_exitcode(status) == 0, self.output()
        return self.output()

    def end(self, grace: float = 0, seconds: float = 20) -> Termination:
        """End the latest one, as a worker does; returns when all of it is dead."""
        termination = Termination(self.mark, time.monotonic(), grace)
        wait_until(lambda: termination.step(time.monotonic()) is None, seconds)
        return termination

    def close(self) -> None:
        for mark, pid in self.started:
            self.mark = mark
            self.end()
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        assert not any(members(mark) for mark, _ in self.started)
