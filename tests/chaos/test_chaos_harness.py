"""The harness itself: real workers, tormented for a while, and nothing lost, doubled, overlapped or left over."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HARNESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")


def harness(*words: str, seconds: float) -> None:
    """Run it; what it prints, the seed first of all, is in the test's output."""
    assert subprocess.run([sys.executable, HARNESS, *words], timeout=seconds).returncode == 0


@pytest.mark.timeout(400)
def test_nothing_is_lost_doubled_or_overlapped_in_a_moment_of_chaos() -> None:
    harness("--seconds", "45", seconds=390)


@pytest.mark.timeout(400)
def test_nothing_is_lost_under_kills_of_a_worker_each_half_second() -> None:
    harness("--kills-only", "--jobs", "100", seconds=390)


@pytest.mark.soak
@pytest.mark.timeout(3600 + 900)
def test_nothing_is_lost_doubled_or_overlapped_in_an_hour_of_chaos() -> None:
    harness("--seconds", "3600", seconds=3600 + 800)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_nothing_is_lost_of_ten_thousand_jobs_under_kills() -> None:
    harness("--kills-only", "--jobs", "10000", seconds=7100)
