"""Wall time in milliseconds, and its one written form."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from queuectl.domain.shown import shown


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`ms` since the epoch as RFC 3339 in UTC with milliseconds: `2026-11-24T06:45:20.123Z`."""
    seconds, millis = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


_FAR = 253_402_300_799_999
"""The last millisecond of the year 9999: the end of what RFC 3339 can say."""


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time; one without a zone is local time.

    Raises:
        ValueError: `text` is no such time, or outside of the years 1970 to 9999.
    """
    # Python 3.10 reads neither the Z nor fractions of other than 3 or 6 digits.
    iso = text.strip()
    if iso[-1:] in ("Z", "z"):
        iso = iso[:-1] + "+00:00"
    try:
        ms = round(datetime.fromisoformat(iso).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        ms = -1
    if not 0 <= ms <= _FAR:
        raise ValueError(f"expected a time like 2026-11-24T06:45:00Z or 2026-11-24 06:45, got {shown(text)}")
    return ms
