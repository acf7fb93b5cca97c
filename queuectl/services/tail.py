"""The end of a log file, and what is added to it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 64 * 1024
POLL = 0.2
"""Seconds; a person reads along."""


def last_lines(path: str, count: int) -> list[str]:
    """The last `count` lines of `path`, without their ends; none if there is no such file."""
    try:
        with open(path, "rb") as file:
            return _last(file, count)
    except FileNotFoundError:
        return []


def follow(path: str, count: int) -> Iterator[str]:
    """The last `count` lines of `path`, then each that is added, also after a rotation. It never ends."""
    file: BinaryIO | None = None
    rest = b""
    try:
        while True:
            if file is None:
                try:
                    file = open(path, "rb")  # noqa: SIM115
                except FileNotFoundError:
                    time.sleep(POLL)
                    continue
                yield from _last(file, count)
                count = 2**31  # of a file that came by rotation, all is new
            rest += file.read(BLOCK)
            *lines, rest = rest.split(b"\n")
            yield from (_text(line) for line in lines)
            if not lines:
                if _replaced(file, path):
                    file.close()
                    file = None
                else:
                    time.sleep(POLL)
    finally:
        if file is not None:
            file.close()


def _last(file: BinaryIO, count: int) -> list[str]:
    """The last `count` whole lines; the file is left at the end of them."""
    end = position = file.seek(0, os.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") <= count:
        step = min(BLOCK, position)
        position -= step
        file.seek(position)
        data = file.read(step) + data
    file.seek(end)
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [_text(line) for line in lines[-count:]] if count > 0 else []


def _replaced(file: BinaryIO, path: str) -> bool:
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False  # in the midst of a rotation, or removed: what comes next will have the name
    opened = os.fstat(file.fileno())
    return now.st_ino != opened.st_ino or now.st_size < file.tell()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
