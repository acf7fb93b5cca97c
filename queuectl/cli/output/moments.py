"""Times and amounts as people read them."""

from __future__ import annotations

from queuectl.domain.clock import rfc3339

_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


class Moments:
    """Writes times: relative to now for a person, absolute for a program."""

    def __init__(self, now: int, relative: bool) -> None:
        self.now = now
        self._relative = relative

    def show(self, ms: int | None) -> str:
        """`3 m ago`, `in 2 h`, or RFC 3339; nothing for None."""
        if ms is None:
            return ""
        if not self._relative:
            return rfc3339(ms)
        away = (ms - self.now) / 1000
        if -1 < away < 1:
            return "now"
        return f"in {coarse(away)}" if away > 0 else f"{coarse(-away)} ago"


def coarse(seconds: float) -> str:
    """The largest unit alone, rounded: `3 m`, `2 h`; what is just short of one counts as one."""
    for unit, size in _UNITS:
        if seconds >= 0.95 * size:
            return f"{round(seconds / size)} {unit}"
    return "0 s"
