"""Tables on a terminal. This module imports rich (60 ms): import it where there is a terminal to draw on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from queuectl.cli.output.table import Cell, Column
from queuectl.cli.output.visible import visible, width

_GAP = 2
_LEAST = 20
"""A column is cut to no less: on a narrower screen the lines are broken by the terminal."""


def draw(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, colored: bool) -> None:
    """Draw the table as wide as the terminal.

    Cells are Text, never markup: what looks like markup in a command is a part of the command.
    """
    # The colours are named, since rich reads NO_COLOR and the like by itself, and the session has decided.
    console = Console(
        force_terminal=True, color_system="standard" if colored else None, highlight=False, markup=False, emoji=False
    )
    # A table of rich in need of room takes it from all columns, also from the ids: so it is told the widths.
    widths = _widths(columns, rows, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, wide in zip(columns, widths, strict=True):
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=wide,
        )
    for row in rows:
        table.add_row(*(Text(visible(cell.text), style=cell.style) for cell in row))
    console.width = max(console.width, sum(widths) + _GAP * len(widths))
    console.print(table, crop=False)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], available: int) -> list[int]:
    wanted = [
        max([width(column.title), *(width(visible(row[index].text)) for row in rows)])
        for index, column in enumerate(columns)
    ]
    excess = sum(wanted) + _GAP * (len(wanted) - 1) - available
    # Those that yield give what is too much, the last one first: it has the most to say, and the least to lose.
    for index in reversed(range(len(columns))):
        if columns[index].yields and excess > 0:
            least = min(wanted[index], _LEAST)
            given = min(excess, wanted[index] - least)
            wanted[index] -= given
            excess -= given
    return wanted
