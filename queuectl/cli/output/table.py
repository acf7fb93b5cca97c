"""Tables: aligned text in a pipe, where nothing is cut; drawn to the width of a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from queuectl.cli.output.visible import visible, width
from queuectl.cli.session import Session


class Cell(NamedTuple):
    """A text that may hold anything, and how it looks on a terminal."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """A column's title, and how it behaves."""

    title: str
    right: bool = False
    """Numbers are aligned to the right."""
    yields: bool = False
    """Cut where a terminal is too narrow; the others never are."""


def print_table(session: Session, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows of as many cells as there are columns."""
    if session.drawn(sys.stdout):
        from queuectl.cli.output import drawing

        drawing.draw(columns, rows, colored=session.colored(sys.stdout))
        return
    texts = [[column.title for column in columns], *([visible(cell.text) for cell in row] for row in rows)]
    widths = [max(map(width, cells)) for cells in zip(*texts, strict=True)]
    for line in texts:
        cells = zip(columns, line, widths, strict=True)
        sys.stdout.write("  ".join(_padded(*cell) for cell in cells).rstrip(" ") + "\n")


def _padded(column: Column, text: str, wide: int) -> str:
    blanks = " " * (wide - width(text))
    return blanks + text if column.right else text + blanks
