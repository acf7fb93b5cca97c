"""What the benchmarks share: a queue of their own, a clock, and verdicts.

Each benchmark is a script, `.venv/bin/python tests/benchmarks/NAME.py`: it prints medians and ratios, and exits 1 where
a target is missed. What is compared runs in turns, so that a busy machine slows both.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

BIN = os.path.dirname(sys.executable)
QUEUECTL = os.path.join(BIN, "queuectl")


def environment(home: str) -> dict[str, str]:
    """This shell's, for the queue in `home`. Compiled modules are kept, as they are where queuectl is installed."""
    left_out = ("QUEUECTL_", "PYTHONDONTWRITEBYTECODE")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(left_out)}, "QUEUECTL_HOME": home}


class Home:
    def __init__(self, path: str) -> None:
        self.path = path
        self.environment = environment(path)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([QUEUECTL, *words], env=self.environment, stderr=subprocess.DEVNULL)

    def cli(self, *words: str, given: str | None = None) -> str:
        done = subprocess.run([QUEUECTL, *words], env=self.environment, input=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def fresh_home() -> Iterator[Home]:
    path = tempfile.mkdtemp(prefix="qb-", dir="/tmp")
    try:
        yield Home(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def seconds(words: Sequence[str], env: dict[str, str]) -> float:
    """How long a command takes, output thrown away; it must succeed."""
    began = time.perf_counter()
    subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def spread(values: Sequence[float], unit: str = "", scale: float = 1) -> str:
    low, middle, high = (scale * each for each in (min(values), statistics.median(values), max(values)))
    return f"median {middle:.4g}{unit} ({low:.4g} to {high:.4g}, {len(values)} runs)"


class Verdicts:
    """Targets, met or missed."""

    def __init__(self) -> None:
        self.missed = 0

    def __call__(self, what: str, value: float, relation: str, target: float, unit: str = "") -> None:
        met = value > target if relation == ">" else value < target if relation == "<" else value <= target
        self.missed += not met
        print(f"{'✓' if met else '✗'} {what}: {value:.3g}{unit}, target {relation} {target:g}{unit}", flush=True)

    def exit(self) -> None:
        sys.exit(1 if self.missed else 0)
