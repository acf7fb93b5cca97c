"""The fixture of the tests of the worker and of its supervisord."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from real_home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home(tempfile.mkdtemp(prefix="qw-"))
    try:
        yield made
    finally:
        made.close()
