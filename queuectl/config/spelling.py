"""The nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `known` that `word` looks most like; None where none is as near as `cutoff` (0 to 1)."""
    import difflib  # 4 ms, and only mistakes need it

    # A longer word than any key is no slip of the pen, and difflib takes quadratic time.
    found = difflib.get_close_matches(word, known, n=1, cutoff=cutoff) if len(word) <= 100 else []
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'max_retries'?`, to end a message with, or nothing."""
    found = nearest(word, known)
    return f"; did you mean {found!r}?" if found else ""
