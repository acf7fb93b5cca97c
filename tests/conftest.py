"""What the tests share: how hypothesis runs, and a home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from real_home import Home, fresh_home

# A machine that other tests load is slow, not wrong.
settings.register_profile("queuectl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("queuectl")


@pytest.fixture
def home() -> Iterator[Home]:
    with fresh_home() as made:
        yield made
