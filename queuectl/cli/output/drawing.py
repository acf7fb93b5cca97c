"""Tables on a terminal. This module imports rich (60 ms): import it where there is a terminal to draw on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from queuectl.cli.output.table import Cell, Column
from queuectl.cli.output.visible import visible, width


def draw(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, colored: bool) -> None:
    """Draw the table as wide as the terminal; on a screen too narrow for it, as wide as it needs.

    Cells are Text, never markup: what looks like markup in a command is a part of the command.
    """
    # The system is named, since rich reads NO_COLOR and the like by itself, and the session has decided.
    console = Console(
        force_terminal=True, color_system="standard" if colored else None, highlight=False, markup=False, emoji=False
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    least = 0
    for index, column in enumerate(columns):
        widest = max([width(column.title), *(width(visible(row[index].text)) for row in rows)])
        narrowest = min(widest, 20) if column.yields else widest
        least += narrowest + 2
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis" if column.yields else "ignore",
            min_width=narrowest,
        )
    for row in rows:
        table.add_row(*(Text(visible(cell.text), style=cell.style) for cell in row))
    console.print(table, width=max(console.width, least), crop=False, soft_wrap=False)
