"""What is known of one thing, a line a fact."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from queuectl.cli.output.table import Cell
from queuectl.cli.output.visible import visible
from queuectl.cli.session import Session

_COLORS = {"bold red": ("red", True), "dim": (None, False), "bold": (None, True)}


def print_facts(session: Session, facts: Sequence[tuple[str, Cell]]) -> None:
    """Print `name  value` lines; facts without a value are left out."""
    colored = session.colored(sys.stdout)
    told = [(name, cell) for name, cell in facts if cell.text]
    wide = max((len(name) for name, _ in told), default=0)
    for name, cell in told:
        value = visible(cell.text)
        if colored:
            print(click.style(name.ljust(wide), dim=True), styled(value, cell.style), sep="  ")
        else:
            print(name.ljust(wide), value, sep="  ")


def print_title(session: Session, text: str) -> None:
    """Print a line that stands over what follows, and an empty one before it."""
    print()
    print(click.style(text, bold=True) if session.colored(sys.stdout) else text)


def styled(text: str, style: str) -> str:
    """`text` in a style of the tables, without rich."""
    if not style:
        return text
    color, bold = _COLORS.get(style, (style, False))
    return click.style(text, fg=color, bold=bold or None, dim=style == "dim" or None)
