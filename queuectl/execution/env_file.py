"""A job's variables in a file: secrets that are in no database, no backup and no list."""

from __future__ import annotations

import os
import stat
from io import StringIO

from dotenv.parser import parse_stream

from queuectl.execution.spawn import NOT_EXECUTABLE, SHORTAGES, CannotRun, NoRoom

LARGEST = 32 * 1024
"""Bytes. The worker's loop reads it, and the parser takes a second for the worst that fits: 32,000 blanks in a line."""


def read_env_file(path: str) -> dict[bytes, bytes]:
    """The variables in a file of NAME=value lines, as python-dotenv reads them; a later line wins.

    Raises:
        CannotRun: it can't be read, or isn't such a file. The message says where, and nothing of what stands there.
        NoRoom: no descriptor is left to read it.
    """
    try:
        return _parsed(_text(path))
    except OSError as error:
        reason = f"{path}: the file of variables: {error.strerror}"
        raise (NoRoom(reason) if error.errno in SHORTAGES else CannotRun(NOT_EXECUTABLE, reason)) from None
    except ValueError as error:
        raise CannotRun(NOT_EXECUTABLE, f"{path}: the file of variables: expected {error}") from None


def _text(path: str) -> str:
    # A FIFO in its place must block nobody.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("a regular file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"at most {LARGEST} bytes")
    if b"\0" in data:
        raise ValueError("a text without NUL")
    return os.fsdecode(data)


def _parsed(text: str) -> dict[bytes, bytes]:
    # Not `dotenv_values`: it passes over lines that it can't read, and half of the secrets is worse than none.
    found: dict[bytes, bytes] = {}
    for binding in parse_stream(StringIO(text)):
        if binding.key is not None and binding.value is not None:
            found[os.fsencode(binding.key)] = os.fsencode(binding.value)
        elif binding.error or binding.key is not None:
            before = binding.original.string[: -len(binding.original.string.lstrip())]
            line = binding.original.line + before.count("\n")
            raise ValueError(f"NAME=value, or NAME='a value with blanks', in line {line}")
    return found
