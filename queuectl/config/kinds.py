"""The kinds of values: what each expects, how it is read, and how it is written back.

Numbers count in quotes too, so that YAML, environment and command line are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from queuectl.config.tree import UNTEXT, Trap
from queuectl.domain.durations import format_duration, format_size, parse_duration, parse_size

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?(?:[eE][+-]?[0-9]{1,2})?")
NOT_BUILT = "isn't built yet in this version of queuectl"


class Kind(NamedTuple):
    """A kind of value."""

    expects: str
    """What it must be, in words: goes after `expected`."""
    parse: Callable[[object], Any]
    """From YAML, environment or option to the typed value; ValueError `expected X, got Y`."""
    show: Callable[[Any], object] = lambda value: value
    """Back to the shortest plain value that `parse` reads as the same."""


def describe(value: object) -> str:
    """`value` as the end of `expected X, got …`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    said = str(value) if isinstance(value, Trap) else repr(value)
    return said if len(said) <= 120 else said[:117] + "..."


def refusal(expects: str, value: object) -> ValueError:
    """The error of a value that isn't what was expected."""
    return ValueError(f"expected {expects}, got {describe(value)}")


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return float(value)
    return None


def whole(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`."""
    expects = f"a whole number from {low} to {high}"

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip(), re.ASCII):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refusal(expects, value)
        return value

    return Kind(expects, parse)


def number(low: float, high: float, what: str = "a number") -> Kind:
    """A number from `low` to `high`."""
    expects = f"{what} from {low:g} to {high:g}"

    def parse(value: object) -> float:
        found = _number(value)
        if found is None or not low <= found <= high:  # also refuses a NaN
            raise refusal(expects, value)
        return float(found)

    return Kind(expects, parse, lambda value: int(value) if value == int(value) else value)


def duration(low: float = 0.0) -> Kind:
    """A duration of `low` seconds or more."""
    expects = "a duration like 90, 90s, 5m or 1h30m" + (f", at least {format_duration(low)}" if low else "")

    def parse(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise refusal(expects, value) from None
        if seconds < low:
            raise refusal(expects, value)
        return seconds

    # What is finer than a millisecond has no written form with units.
    return Kind(expects, parse, lambda s: text if parse_duration(text := format_duration(s)) == s else s)


def size(low: int = 0) -> Kind:
    """A size of `low` bytes or more."""
    expects = "a size like 4096, 64KiB or 10MiB" + (f", at least {format_size(low)}" if low else "")

    def parse(value: object) -> int:
        try:
            found = parse_size(int(value) if isinstance(value, str) and value.strip().isdecimal() else value)
        except ValueError:
            raise refusal(expects, value) from None
        if found < low:
            raise refusal(expects, value)
        return found

    # The written form has one decimal: it would lose some of 1500000.
    return Kind(expects, parse, lambda n: text if parse_size(text := format_size(n)) == n else n)


def choice(*words: str, later: frozenset[str] = frozenset()) -> Kind:
    """One of `words`, in any case; those in `later` are known, and refused as not built yet."""
    expects = f"{', '.join(words[:-1])} or {words[-1]}"

    def parse(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in later:
            raise ValueError(f"expected {expects}; {word!r} {NOT_BUILT}")
        if word not in words:
            raise refusal(expects, value)
        return word

    return Kind(expects, parse)


def queue_names() -> Kind:
    """A queue's name, a list of them, or `all`: a tuple of names, or None."""
    expects = "all, a queue's name, or a list of names (letters, digits and _ . -, at most 64)"

    def name(value: object) -> str:
        # A whole number has one written form, so that it can only have meant that name.
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not _NAME.fullmatch(text):
            raise refusal(expects, value)
        return text

    def parse(value: object) -> tuple[str, ...] | None:
        if value is None or value == "all":
            return None
        if not isinstance(value, (list, tuple)):
            return (name(value),)
        if not value:
            raise ValueError(f"expected {expects}, got an empty list")
        return tuple(dict.fromkeys(name(item) for item in value))

    return Kind(expects, parse, lambda names: "all" if names is None else list(names))


def environment_value() -> Kind:
    """The value of an environment variable. A whole number is its text; 1.10 and true have several, so they aren't."""
    expects = "text"

    def parse(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, (bool, float)):
            raise ValueError(f"expected text, got {describe(value)}: put it in quotes")
        if not isinstance(value, str) or UNTEXT.search(value):
            raise refusal(expects, value)
        return value

    return Kind(expects, parse)


def database_url() -> Kind:
    """Empty, or the URL of an SQLite file."""
    expects = "sqlite:////ABSOLUTE/PATH, or nothing for queue.db in the home"

    def parse(value: object) -> str:
        if value is None or value == "":
            return ""
        if not isinstance(value, str):
            raise refusal(expects, value)
        if value.startswith(("postgresql:", "postgres:")):
            # The URL may hold a password: it isn't repeated.
            raise ValueError(f"expected {expects}; PostgreSQL {NOT_BUILT}")
        path = value.removeprefix("sqlite:///")
        if value.startswith("/"):
            raise ValueError(f"expected {expects}, got a path: write sqlite:///{describe(value)[1:-1]}")
        if not path.startswith("/"):
            hint = ": use an absolute path, four slashes" if value.startswith("sqlite:") else ""
            raise ValueError(f"expected {expects}, got {describe(value)}{hint}")
        if path.endswith("/") or any(char in value for char in "?#\n") or UNTEXT.search(value):
            raise ValueError(f"expected {expects}, got {describe(value)}: the path of a file, without options")
        return value

    return Kind(expects, parse)
