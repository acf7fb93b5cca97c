from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "services"))

from worker_home import Home, worker_home


@pytest.fixture
def home() -> Iterator[Home]:
    # Not tmp_path, which is too long for a socket where tests run in parallel.
    with tempfile.TemporaryDirectory(prefix="q", dir="/tmp") as top, worker_home(f"{top}/h") as made:
        yield made
