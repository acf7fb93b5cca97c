"""Whether the clock can be right."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.domain.clock import now_ms, rfc3339
from queuectl.domain.findings import Finding, error, ok, warning
from queuectl.storage.database import Database
from queuectl.storage.running import latest_time

_TOLERANCE = 60_000
"""Milliseconds that a clock may be set back without a word."""
_OLDEST = 1_735_689_600_000
"""The year 2025: this program didn't exist before."""
_MEND = "timedatectl set-ntp true"


def examine(database: Database) -> Iterator[Finding]:
    """Against what the database remembers."""
    now = now_ms()
    latest = latest_time(database)
    if now < _OLDEST:
        yield error("clock", rfc3339(now), "this program didn't exist at that time", _MEND)
    elif latest is not None and latest > now + _TOLERANCE:
        found = f"the database knows of {rfc3339(latest)}: the clock was set back; what is due waits until then"
        yield warning("clock", rfc3339(now), found, _MEND)
    else:
        yield ok("clock", rfc3339(now), "nothing in the database is from the future")
