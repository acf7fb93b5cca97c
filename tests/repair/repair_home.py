"""What the tests of repair do to a home."""

from __future__ import annotations

import subprocess
from typing import Any

import peewee
from real_home import QUEUECTL, Home, Said

sqlite3 = peewee.sqlite3  # the library that is in this process already: two would drop each other's locks


def run(home: Home, *words: str, **settings: str) -> Said:
    """Run the installed queuectl in the home; no traceback, whatever comes."""
    environment = {**home.environment, **{f"QUEUECTL_{key.upper()}": value for key, value in settings.items()}}
    done = subprocess.run([QUEUECTL, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    assert "internal error" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def plant(home: Home, *statements: str) -> None:
    """Do to the database what nobody should, without foreign keys."""
    other = sqlite3.connect(f"{home.path}/queue.db")
    other.execute("PRAGMA foreign_keys = 0")
    for statement in statements:
        other.execute(statement)
    other.commit()
    other.close()


def findings(home: Home, *words: str, **settings: str) -> dict[str, dict[str, Any]]:
    """What a command finds, by the name of the check; of several the worst."""
    order = ["ok", "warning", "error"]
    found: dict[str, dict[str, Any]] = {}
    for each in run(home, *words, "--json", **settings).json:
        before = found.get(each["check"])
        if before is None or order.index(each["severity"]) > order.index(before["severity"]):
            found[each["check"]] = each
    return found


def close(home: Home) -> None:
    """Close this process's own connection: whoever keeps one open keeps the log."""
    if home._queue is not None:
        home._queue.close()
        home._queue = None
