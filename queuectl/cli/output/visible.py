"""Text that comes from a job, made safe to look at."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """`text` in one line, with what can't be seen, or would act on the terminal, written out: `\\n`, `\\x1b`.

    That is all that Python calls unprintable: control characters, invisible and reversing ones, lone surrogates.
    A backslash itself stays: commands are full of them, and JSON is there for exactness.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    return repr(character)[1:-1]


def width(text: str) -> int:
    """How many columns of a terminal the visible `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
