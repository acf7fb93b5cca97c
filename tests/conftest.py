"""What the tests share: how hypothesis runs, signals as they are, and a home."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from real_home import Home, fresh_home

# A machine that other tests load is slow, not wrong.
settings.register_profile("queuectl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("queuectl")

# Who runs the tests in the background, or by nohup, has these ignored; so would all be that the tests start.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def home() -> Iterator[Home]:
    with fresh_home() as made:
        yield made
