"""A home with real workers; its helpers are those of the worker's tests."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from real_home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home(tempfile.mkdtemp(prefix="qs-"))
    try:
        yield made
    finally:
        made.close()
