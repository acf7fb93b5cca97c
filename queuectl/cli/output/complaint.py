"""Errors, as people see them."""

from __future__ import annotations

import sys

from queuectl.cli.output.visible import visible


def complain(message: str, hint: str | None) -> None:
    """Say what is wrong, a line for each problem, and what to do. What is indented, as the end of a log is, belongs to
    the line before."""
    for line in message.split("\n"):
        print(visible(line) if line.startswith(" ") else f"queuectl: error: {visible(line)}", file=sys.stderr)
    if hint:
        print(f"hint: {visible(hint)}", file=sys.stderr)
