"""Times as people type them."""

from __future__ import annotations

import re

from queuectl.domain.clock import parse_time, rfc3339
from queuectl.errors import UsageError

_CLOCK = re.compile(r"(?:(tomorrow)\s+)?(\d{1,2}):(\d{2})")


def read_at(text: str) -> str:
    """RFC 3339 of `22:00` (the next one), `tomorrow 6:30`, or an ISO 8601 time; without a zone it is local time.

    Raises:
        UsageError: it is none of these.
    """
    if found := _CLOCK.fullmatch(text.strip().lower()):
        hour, minute = int(found[2]), int(found[3])
        if hour < 24 and minute < 60:
            return _next(hour, minute, tomorrow=found[1] is not None)
    try:
        return rfc3339(parse_time(text))
    except ValueError:
        raise UsageError(f"--at: expected a time like 22:00, tomorrow 6:30 or 2026-11-24 06:45, got {text!r}") from None


def _next(hour: int, minute: int, *, tomorrow: bool) -> str:
    from datetime import datetime, timedelta

    now = datetime.now()
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if tomorrow or then <= now:
        then += timedelta(days=1)
    # A time without a zone is the wall clock's: the day of a change to summer time has 23 hours.
    return rfc3339(round(then.timestamp() * 1000))
