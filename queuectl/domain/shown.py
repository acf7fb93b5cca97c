"""A value as a message shows it."""

from __future__ import annotations


def shown(value: object) -> str:
    """`value` in at most 60 characters of ASCII and one line, whatever it is."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes, or lists in lists in lists
        return f"{type(value).__name__} too large to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
