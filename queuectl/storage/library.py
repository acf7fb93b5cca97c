"""Which SQLite this process uses, and whether it can be trusted with a queue."""

from __future__ import annotations

import peewee

Version = tuple[int, int, int]

_REPAIRED = ((3, 44, 6), (3, 50, 7))
"""Older lines that got the repair too."""


def version() -> Version:
    """The version of the library that Peewee took."""
    major, minor, patch = peewee.sqlite3.sqlite_version_info[:3]  # type: ignore[attr-defined]
    return major, minor, patch


def named(found: Version) -> str:
    """It as text: 3.53.4."""
    return ".".join(map(str, found))


def source() -> str:
    """The Python module that it came with: pysqlite3 carries its own, sqlite3 uses the system's."""
    return str(peewee.sqlite3.__name__).partition(".")[0]  # type: ignore[attr-defined]


def may_corrupt(found: Version) -> bool:
    """Whether it has the "WAL-reset bug": two processes that checkpoint and commit at the same moment can make it
    forget a part of the log (https://sqlite.org/wal.html#walresetbug)."""
    repaired = any(found[:2] == line[:2] and found >= line for line in _REPAIRED)
    return (3, 7, 0) <= found < (3, 51, 3) and not repaired
