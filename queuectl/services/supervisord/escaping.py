"""How a text is written so that supervisord reads it back as it was.

Between the file and the value stand: the ini parser (takes ` ;` and ` #` for the start of a comment), the `%(name)s`
expansion, which some options go through twice, and for `command` also shlex.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from queuectl.errors import ConfigError, Problem

_COMMENT = re.compile(r"(\s)(?=[;#])")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters end the line, or break the XML of an answer; surrogates are bytes that are no UTF-8."""


def command_line(argv: Sequence[str], where: str) -> str:
    """The value of `command=`; `where` names the unit in errors.

    Raises:
        ConfigError: a word holds a newline, a NUL or another character that can't be written.
    """
    return " ".join(_word(word, where) for word in argv)


def plain(text: str, where: str) -> str:
    """The value of an option that is expanded once, and not split into words.

    Raises:
        ConfigError: `text` can't be written: a control character, a space at an end or before a `;` or `#`.
    """
    _check(text, where)
    if text != text.strip() or _COMMENT.search(text):
        raise ConfigError(
            [Problem(where, f"expected no space at an end, or before a ; or #, got {text!r}")],
            hint="supervisord would cut it there; use another path",
        )
    return text.replace("%", "%%")


def _word(word: str, where: str) -> str:
    _check(word, where)
    # A word with a space in it comes out of shlex.quote in single quotes: '' between the space and the sign closes and
    # reopens them, which shlex reads as nothing, and the ini parser as no comment.
    quoted = _COMMENT.sub(r"\1''", shlex.quote(word))
    return quoted.replace("%", "%%")


def _check(text: str, where: str) -> None:
    match = _UNWRITABLE.search(text)
    if match:
        raise ConfigError(
            [Problem(where, f"expected no control character (a newline, a NUL) and only UTF-8, got {text!r}")],
            hint="no service manager's file can hold it; use another path or name",
        )
