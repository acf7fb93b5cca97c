"""The power fails at a random moment: whatever was acknowledged is there, and the database is sound.

The disk is a library that is preloaded, and forgets what was not synced. Several processes use the queue until all are
killed; then the home is made anew of what the disk has kept, and the next ones go on there.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from building import build
from queue_file import check_sound
from real_home import until

from queuectl.storage.database import Database

_HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.path.join(_HERE, "power_driver.py")


class Machine:
    """A disk that keeps what was synced, and the processes that use it."""

    def __init__(self, place: Path, synchronous: str) -> None:
        self.place = place
        self.synchronous = synchronous
        self.library = build("forgetful", str(place))
        self.acks = place / "acks"
        self.boots = 0
        self.home = place / "home-0"
        self.home.mkdir()

    def acknowledged(self) -> list[str]:
        return self.acks.read_text().split() if self.acks.exists() else []

    def run_until_the_power_fails(self, seconds: float) -> None:
        """Let two processes use the queue, for so long from the first acknowledged job on."""
        shadow = self.place / f"shadow-{self.boots}"
        shadow.mkdir()
        environment = {
            **os.environ,
            "LD_PRELOAD": self.library,
            "FORGETFUL_HOME": str(self.home),
            "FORGETFUL_SHADOW": str(shadow),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._keep_what_is_there(environment)
        before = len(self.acknowledged())
        words = [sys.executable, DRIVER, self.home, self.acks]
        running = [
            subprocess.Popen([*words, f"b{self.boots}p{n}", self.synchronous], env=environment) for n in range(2)
        ]
        try:
            until(lambda: len(self.acknowledged()) > before, "something to be acknowledged")
            time.sleep(seconds)
        finally:
            for process in running:
                process.kill()
            codes = [process.wait() for process in running]
        assert codes == [-9, -9]
        self._boot(shadow)

    def _keep_what_is_there(self, environment: dict[str, str]) -> None:
        """What a former boot found on the disk is on the disk."""
        sync = "import os, sys\nfor path in sys.argv[1:]: os.fsync(os.open(path, os.O_RDONLY))"
        there = [str(self.home), *(str(path) for path in self.home.iterdir())]
        subprocess.run([sys.executable, "-c", sync, *there], env=environment, check=True)

    def _boot(self, shadow: Path) -> None:
        """Make the home anew of what was kept; what has a name, but was never synced itself, is empty."""
        self.boots += 1
        self.home = self.place / f"home-{self.boots}"
        self.home.mkdir()
        for line in (shadow / "names").read_text().splitlines():
            inode, _, name = line.partition(" ")
            if name in (".", ".."):
                continue
            kept = shadow / f"inode-{inode}"
            if kept.exists():
                shutil.copy(kept, self.home / name)
            else:
                (self.home / name).touch(0o600)
        shutil.rmtree(shadow)
        shutil.rmtree(self.place / f"home-{self.boots - 1}")

    def lost(self) -> set[str]:
        """What was acknowledged, and isn't there; the database must be sound in any case."""
        database = Database(str(self.home / "queue.db"))
        check_sound(database)
        there = {job for (job,) in database.rows("SELECT public_id FROM jobs")}
        database.close()
        return set(self.acknowledged()) - there


def cut_the_power(place: Path, moments: int) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    machine = Machine(place, "full")
    for _ in range(moments):
        machine.run_until_the_power_fails(chance.uniform(0, 0.15))
        assert machine.lost() == set()
    assert len(machine.acknowledged()) > 5 * moments


def test_nothing_acknowledged_is_lost_when_the_power_fails(tmp_path: Path) -> None:
    cut_the_power(tmp_path, 20)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_nothing_acknowledged_is_lost_when_the_power_fails_200_times(tmp_path: Path) -> None:
    cut_the_power(tmp_path, 200)


def test_without_syncs_something_is_lost(tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    machine = Machine(tmp_path, "off")
    machine.run_until_the_power_fails(0.2)
    assert machine.lost()
