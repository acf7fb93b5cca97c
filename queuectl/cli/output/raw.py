"""What jobs wrote, to the standard output: byte by byte into a pipe, made safe for a terminal."""

from __future__ import annotations

import codecs
import re
import sys
from typing import Protocol

from queuectl.cli.output.visible import visible

_COLOR = re.compile(r"\x1b\[[0-9;:]*m")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:]*)?$")
_UNSAFE = re.compile(r"[^\n\t]+")


class Sink(Protocol):
    """Where output goes."""

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None:
        """Nothing more comes of this execution."""


class Pipe:
    """Raw bytes, at once."""

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def finish(self) -> None:
        pass


class Terminal:
    """Text that can't act on the terminal, but for its colours, if those are wanted.

    A progress bar's carriage returns become new lines: to let it overwrite would let it overwrite anything.
    """

    def __init__(self, colored: bool) -> None:
        self._colored = colored
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._fresh = True

    def write(self, data: bytes) -> None:
        text = self._held + self._decoder.decode(data)
        # The end may be the beginning of an escape sequence, or the first half of a line's end.
        held = _UNFINISHED.search(text)
        cut = held.start() if held else len(text) - text.endswith("\r")
        self._held = text[cut:]
        self._show(text[:cut])

    def finish(self) -> None:
        self._show(self._held + self._decoder.decode(b"", True))
        self._held = ""
        if self._colored:
            sys.stdout.write("\x1b[0m")
        if not self._fresh:
            sys.stdout.write("\n")
        sys.stdout.flush()

    def _show(self, text: str) -> None:
        if not text:
            return
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        start = 0
        for color in _COLOR.finditer(text):
            self._plain(text[start : color.start()])
            if self._colored:
                sys.stdout.write(color[0])
            start = color.end()
        self._plain(text[start:])
        self._fresh = text.endswith("\n")
        sys.stdout.flush()

    def _plain(self, text: str) -> None:
        sys.stdout.write(_UNSAFE.sub(lambda found: visible(found[0]), text))
