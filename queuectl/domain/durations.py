"""Durations and sizes as people write them."""

from __future__ import annotations

import re

from queuectl.domain.shown import shown

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PARTS = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_BYTES = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")

LONGEST = 100 * 365 * 86400.0
"""A hundred years, in seconds: beyond it a duration is a slip, and sums with it might overflow."""


def parse_duration(value: object) -> float:
    """Seconds of `90`, `1.5`, `"90"`, `"90s"`, `"5m"` or `"1h30m"`.

    Raises:
        ValueError: it is none of these, negative, or longer than a hundred years.
    """
    seconds = -1.0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # An integer may be too large for a float.
        seconds = float(value) if 0 <= value <= LONGEST else -1.0
    elif isinstance(value, str) and value.isascii():
        text = value.strip().lower()
        if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text):
            seconds = float(text)
        elif len(text) <= 64 and _PARTS.fullmatch(text):
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if not 0 <= seconds <= LONGEST:  # also false for a NaN
        raise ValueError(f"expected a duration like 90, 90s, 5m or 1h30m, got {shown(value)}")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest of what `parse_duration` reads: `1h30m`, `90s` becomes `1m30s`, `0.25` is `250ms`."""
    millis = round(seconds * 1000)
    if millis == 0:
        return "0"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            text += f"{count}{unit}"
    return text


def parse_size(value: object) -> int:
    """Bytes of `4096`, `"10MiB"`, `"1.5 GB"`; the units of ten (kB, MB) and of two (KiB, MiB) both count.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if isinstance(value, str) and len(value) <= 32 and value.isascii():
        match = _SIZE.fullmatch(value.strip())
        if match and match[2].lower() in _BYTES:
            size = int(float(match[1]) * _BYTES[match[2].lower()])
            if size < 2**63:
                return size
    raise ValueError(f"expected a size like 4096, 64KiB or 10MiB, got {shown(value)}")


def format_size(size: int) -> str:
    """`10MiB`, `1.5GiB`, `512B`: units of two, at most one decimal."""
    if size < 1024:
        return f"{size}B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f}".removesuffix(".0") + unit
    return f"{amount / 1024:.1f}".removesuffix(".0") + "TiB"
