"""The kinds of values that only service managers need."""

from __future__ import annotations

import os
import re

from queuectl.config.kinds import Kind, describe, refusal

_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
_PERCENT = re.compile(r"([0-9]{1,6})\s*%?", re.ASCII)
_CONTROL = re.compile("[\0-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]")


def account() -> Kind:
    """The name of a user or a group, or nothing."""
    expects = "the name of an account, or nothing"

    def parse(value: object) -> str:
        if value is None or value == "":
            return ""
        if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
            raise refusal(expects, value)
        return value

    return Kind(expects, parse)


def path() -> Kind:
    """An absolute path, or nothing. What a service manager can't write it refuses itself."""
    expects = "an absolute path, or nothing"

    def parse(value: object) -> str:
        if value is None or value == "":
            return ""
        if not isinstance(value, str) or not value.startswith("/") or _CONTROL.search(value):
            raise refusal(expects, value)
        return os.path.normpath(value)

    return Kind(expects, parse)


def percent() -> Kind:
    """Percents, also above a hundred."""
    expects = "percents of one CPU, like 50% or 200%"

    def parse(value: object) -> int:
        found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
        if value == 0 and not isinstance(value, bool):
            return 0
        # A number alone, were it written 2 or 1.5, could as well mean CPUs.
        if found is None or (not str(value).strip().endswith("%") and int(found[1])):
            raise refusal(expects, value)
        return int(found[1])

    return Kind(expects, parse, lambda percents: f"{percents}%")


def directive() -> Kind:
    """The value of a directive, as it stands in the unit: one line."""
    expects = "text in one line"

    def parse(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            raise ValueError(f"expected {expects}, got {describe(value)}: put it in quotes")
        if not isinstance(value, str) or _CONTROL.search(value):
            raise refusal(expects, value)
        if value != value.strip() or value.endswith("\\"):
            raise ValueError(
                f"expected {expects}, without a space at an end or a backslash at its last, got {describe(value)}"
            )
        return value

    return Kind(expects, parse)
