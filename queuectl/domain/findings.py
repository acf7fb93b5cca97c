"""What an examination found, for `doctor` and `db check`."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Severity(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, and may not for long
    ERROR = "error"  # jobs don't run, or may be lost

    def __str__(self) -> str:
        return self.value


class Finding(NamedTuple):
    """One thing that was looked at."""

    severity: Severity
    check: str
    """Its name for programs: `home.permissions`."""
    looked_at: str
    """The path, the worker, the program."""
    found: str
    mend: str | None = None
    """The command that mends it."""


def ok(check: str, looked_at: str, found: str) -> Finding:
    """All is well there."""
    return Finding(Severity.OK, check, looked_at, found)


def warning(check: str, looked_at: str, found: str, mend: str | None = None) -> Finding:
    """It works, and may not for long."""
    return Finding(Severity.WARNING, check, looked_at, found, mend)


def error(check: str, looked_at: str, found: str, mend: str | None = None) -> Finding:
    """Jobs don't run, or may be lost."""
    return Finding(Severity.ERROR, check, looked_at, found, mend)


def worst(findings: list[Finding]) -> Severity:
    """The severity of the whole."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.OK)
