"""An installation in a temporary directory, whose workers are stand-ins under a real supervisord."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from queuectl.services.manager import Process, Site, WorkerUnit
from queuectl.services.supervisord.manager import PrivateSupervisord

STAND_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stand_in.py")


def units(*numbers: int, pool: str = "default") -> list[WorkerUnit]:
    return [WorkerUnit(pool, number) for number in numbers]


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Return when `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition} didn't come true within {seconds} s"
        time.sleep(0.01)


class Home:
    def __init__(self, path: str) -> None:
        self.path = path
        os.mkdir(path, 0o700)
        for name in ("locks", "logs", "supervisor"):
            os.makedirs(f"{path}/{name}", 0o700)
        self.site = Site(
            home=path,
            config_file=None,
            program=(sys.executable, STAND_IN),
            logs=f"{path}/logs",
            supervisor=f"{path}/supervisor",
            shutdown_timeout=30,
            kill_grace=1,
        )

    @property
    def manager(self) -> PrivateSupervisord:
        return PrivateSupervisord(self.site)

    def write(self, name: str, text: str = "") -> None:
        with open(f"{self.path}/{name}", "w") as file:
            file.write(text)

    def events(self, name: str) -> list[str]:
        try:
            with open(f"{self.path}/events-{name}") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def states(self) -> dict[str, str]:
        return {process.name: process.state for process in self.manager.status()}

    def pids(self) -> dict[str, int | None]:
        return {process.name: process.pid for process in self.manager.status()}

    def process(self, name: str) -> Process:
        return next(process for process in self.manager.status() if process.name == name)

    def wait_running(self, *names: str) -> dict[str, int | None]:
        """The pids of `names`, when all of them hold their locks."""
        from queuectl.pools.presence import sightings

        def serving() -> bool:
            held = {seen.name: seen.record.pid for seen in sightings(f"{self.path}/locks") if seen.held and seen.record}
            pids = self.pids()
            return all(name in held and held[name] == pids.get(name) for name in names)

        eventually(serving)
        return self.pids()

    def daemon(self) -> int:
        with open(f"{self.path}/supervisor/supervisord.pid") as file:
            return int(file.read())

    def processes(self, word: str = "") -> list[psutil.Process]:
        """All processes of this home, by their command line; zombies aside."""
        found = []
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if any(self.path in each for each in words) and any(word in each for each in words):
                found.append(process)
        return found


@pytest.fixture
def home() -> Iterator[Home]:
    # Not tmp_path, which is too long for a socket where tests run in parallel.
    with tempfile.TemporaryDirectory(prefix="q", dir="/tmp") as top, worker_home(f"{top}/h") as made:
        yield made


@contextmanager
def worker_home(path: str) -> Iterator[Home]:
    home = Home(path)
    try:
        yield home
    finally:
        # First the daemon, which would restart what ends.
        for process in [*home.processes("supervisord.conf"), *home.processes()]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        eventually(lambda: not home.processes())
