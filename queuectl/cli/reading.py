"""Jobs as they are handed to `enqueue`: JSON, files, lines. Every complaint says where."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from queuectl.errors import InvalidJob, UsageError

QUOTING = """put the JSON in single quotes: queuectl enqueue '{"command": "echo hello"}'"""
_STDIN = "-"
_BLANKS = re.compile(r"[ \t\n\r]*")

Keys = Mapping[str, object]


class Entry(NamedTuple):
    """One job of many, before it is checked."""

    line: int
    """From 1."""
    raw: object


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON's own reader keeps the last of two equal keys, without a word.
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJob(f'key "{twice}" is there twice', key=twice)
    return found


def _no_constant(word: str) -> object:
    raise InvalidJob(f"expected JSON, which has no {word}")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def read_text(path: str) -> tuple[str, str]:
    """The text of a file, or of the standard input for `-`; and its name, for messages.

    Raises:
        UsageError: it can't be read, or isn't UTF-8.
    """
    name = "standard input" if path == _STDIN else path
    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except (OSError, ValueError) as error:  # a ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name}: can't be read: {reason.lower()}") from None
    try:
        return data.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: expected UTF-8, got the byte 0x{data[error.start]:02x}") from None


def read_positional(word: str) -> tuple[object, str | None]:
    """The JSON of `{…}`, FILE or `-`, and the file's name, if it is one.

    Raises:
        UsageError: it is none of them, or no JSON.
    """
    start = word.lstrip()[:1]
    if start == "{":
        return parse(word, None), None
    if word == _STDIN or os.path.exists(word):
        return read_file(word)
    if start == "[":
        raise a_list("")
    if word.endswith(".json") or "/" in word:
        raise UsageError(f"{word}: no such file", hint=QUOTING if '"' in word else None)
    raise UsageError(
        f"expected a job as JSON, or the file of one, got {word[:60]!r}",
        hint=f"a command stands behind --: queuectl enqueue -- {word[:60] or 'COMMAND'}",
    )


def read_file(path: str) -> tuple[object, str]:
    """The JSON of a file or of the standard input, and its name. Raises UsageError."""
    text, name = read_text(path)
    return parse(text, name), name


def a_list(name: str) -> UsageError:
    """The error of a list where one job was expected."""
    at = f"{name}: " if name else ""
    return UsageError(
        f"{at}expected one job, a JSON object, got a list",
        hint=f"queuectl enqueue --batch {name if name and name != 'standard input' else 'FILE|-'}, for many jobs",
    )


def parse(text: str, name: str | None) -> object:
    """The JSON of `text`; `name` is the file's, None = it was typed.

    Raises:
        InvalidJob: it isn't JSON; the message says at which line and column.
    """
    at = f"{name}: " if name else ""
    if not text.strip():
        raise InvalidJob(f"{at}expected a job as JSON, got nothing")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}:{error.colno}" if name else f"line {error.lineno} column {error.colno}"
        got = text[error.pos : error.pos + 20].split("\n")[0]
        raise InvalidJob(
            f"{place}: expected JSON: {error.msg.lower()}, got {got!r}" if got else f"{place}: the JSON ends too early",
            hint=None if name else QUOTING,
        ) from None
    except InvalidJob as error:
        raise InvalidJob(f"{at}{error}", key=error.key) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise InvalidJob(f"{at}expected JSON, got one that can't be read: {reason}") from None


def shell_lines(text: str) -> Iterator[Entry]:
    """A job for each line that isn't blank: the shell's to run."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Entry(number, {"command": line.rstrip("\r")})


def batch(text: str, name: str) -> Iterator[Entry]:
    """The jobs of a JSON array, or of a JSON object a line.

    Raises:
        InvalidJob: it isn't JSON, with the line.
    """
    return _array(text, name) if text.lstrip()[:1] == "[" else _json_lines(text, name)


def _json_lines(text: str, name: str) -> Iterator[Entry]:
    decode = _DECODER.decode
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.isspace():
            continue
        try:
            yield Entry(number, decode(line))
        except json.JSONDecodeError as error:
            got = line[error.pos : error.pos + 20]
            what = f"expected JSON: {error.msg.lower()}, got {got!r}" if got else "the JSON ends too early"
            hint = "one job a line: `jq -c` writes such, or make it an array [ … ]" if line.strip() == "{" else None
            raise InvalidJob(f"{name}:{number}:{error.colno}: {what}", hint=hint) from None
        except InvalidJob as error:
            raise InvalidJob(f"{name}:{number}: {error}", key=error.key) from None
        except (ValueError, RecursionError):
            raise InvalidJob(f"{name}:{number}: expected JSON, got one that can't be read") from None


def _array(text: str, name: str) -> Iterator[Entry]:
    """Reads one element after the other, so that each has its line."""
    line, counted = 1, 0
    position = _skip(text, _skip(text, 0) + 1)
    if text[position : position + 1] == "]":
        position += 1
    else:
        while True:
            line, counted = line + text.count("\n", counted, position), position
            try:
                raw, position = _DECODER.raw_decode(text, position)
            except json.JSONDecodeError as error:
                raise InvalidJob(f"{name}:{error.lineno}:{error.colno}: expected JSON: {error.msg.lower()}") from None
            except InvalidJob as error:
                raise InvalidJob(f"{name}:{line}: {error}", key=error.key) from None
            except (ValueError, RecursionError):
                raise InvalidJob(f"{name}:{line}: expected JSON, got one that can't be read") from None
            yield Entry(line, raw)
            position = _skip(text, position)
            separator = text[position : position + 1]
            if separator not in (",", "]"):
                raise _misplaced(text, position, name, "`,` or `]` behind a job")
            position = _skip(text, position + 1)
            if separator == "]":
                break
    if _skip(text, position) != len(text):
        raise _misplaced(text, position, name, "nothing behind the array")


def _misplaced(text: str, position: int, name: str, expected: str) -> InvalidJob:
    line = text.count("\n", 0, position) + 1
    got = text[position : position + 20].split("\n")[0]
    return InvalidJob(f"{name}:{line}: expected {expected}, got {got!r}" if got else f"{name}: the array isn't closed")


def _skip(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position
