"""How a text is written so that systemd reads it back as it was.

Between the unit and the value stand: the parser of lines (cuts space at the ends, goes on after a backslash), the `%x`
specifiers, the splitting into words by quotes and backslashes, in `ExecStart=` also C's escapes and `$variables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from queuectl.errors import ConfigError, Problem

_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
_UNWRITABLE = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NO_CHARACTERS}]")
"""Control characters end the line, or are refused by systemd; surrogates are bytes that are no UTF-8, and what Unicode
calls no characters systemd calls no UTF-8 either."""
_UNRUNNABLE = re.compile("[\"'\\\\]")
_GLOB = re.compile(r"[*?\[\]\\]")


def command_line(argv: Sequence[str], where: str) -> str:
    """The value of `ExecStart=`; `where` names the unit in errors.

    Raises:
        ConfigError: a word holds a newline, a NUL or another character that can't be written.
    """
    program, *rest = argv
    if _UNRUNNABLE.search(program):
        raise _refused(where, "expected a program whose path has no quotes and no backslash in it", program)
    # The colon: no `$variables`. To write them doubled would not do in the first word, of which the path stays doubled.
    return " ".join([":" + _escaped(program, where), *(_escaped(word, where) for word in rest)])


def paths(several: Iterable[str], where: str) -> str:
    """The value of an option that takes paths, as `RequiresMountsFor=` or `ReadWritePaths=`.

    Raises:
        ConfigError: one can't be written.
    """
    return " ".join(_escaped(path, where) for path in several)


def path(text: str, where: str) -> str:
    """The value of an option that takes one path, or a pattern of paths, as it is: `EnvironmentFile=`.

    Raises:
        ConfigError: it can't be written.
    """
    _checked(text, where)
    if text != text.strip() or _GLOB.search(text):
        raise _refused(where, "expected a path with no space at an end, and no * ? [ ] or backslash in it", text)
    return text.replace("%", "%%")


def comment(text: str, where: str) -> str:
    """A text behind a `#`.

    Raises:
        ConfigError: it doesn't stay on its line.
    """
    # Comments go on after a backslash as all lines do, in some versions.
    return _checked(text, where) + (" " if text.endswith("\\") else "")


def _escaped(word: str, where: str) -> str:
    escaped = _checked(word, where).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if re.fullmatch(r"[A-Za-z0-9_./=:@%+-]+", escaped) else f'"{escaped}"'


def _checked(text: str, where: str) -> str:
    if _UNWRITABLE.search(text):
        raise _refused(where, "expected no control character (a newline, a NUL) and only UTF-8", text)
    return text


def _refused(where: str, expected: str, text: str) -> ConfigError:
    hint = "no unit of systemd can hold it; use another path or name"
    return ConfigError([Problem(where, f"{expected}, got {text!r}")], hint=hint)
