"""The tests of chaos borrow the homes and the queues of other tests."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(_HERE, "..", "worker"), os.path.join(_HERE, "..", "storage")]

from real_home import Home  # noqa: E402


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home(tempfile.mkdtemp(prefix="qc-"))
    try:
        yield made
    finally:
        made.close()
