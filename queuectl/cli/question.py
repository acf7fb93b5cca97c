"""Asking before something is destroyed."""

from __future__ import annotations

import sys

from queuectl.errors import UsageError


def confirmed(question: str, yes: bool) -> bool:
    """Whether the person says yes, or has said so by --yes.

    Raises:
        UsageError: there is nobody to ask.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"expected an answer at a terminal, and there is none: {question}", hint="--yes answers")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("Nothing was done.", file=sys.stderr)
    return False
