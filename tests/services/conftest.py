from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "worker"))

from worker_home import Home, worker_home


@pytest.fixture
def home() -> Iterator[Home]:
    # Not tmp_path, which is too long for a socket where tests run in parallel.
    with tempfile.TemporaryDirectory(prefix="q", dir="/tmp") as top, worker_home(f"{top}/h") as made:
        yield made
