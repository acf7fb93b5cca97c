"""A file of checks as a script: a line each, and 1 as the exit code where one failed. Needs no pytest."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

from real_home import Home


@contextlib.contextmanager
def fresh_home() -> Iterator[Home]:
    """A queue of its own; what is started on it ends with it."""
    home = Home(tempfile.mkdtemp(prefix="qc-", dir="/tmp"))
    try:
        yield home
    finally:
        home.close()


def run(title: str, checks: dict[str, Callable[[], None]]) -> int:
    """Try each of the checks, and say how it went; the exit code."""
    print(f"{title}:", flush=True)
    failed = 0
    for name, check in checks.items():
        try:
            check()
        except Exception:
            failed += 1
            print(f"✗ {name}", flush=True)
            traceback.print_exc()
        else:
            print(f"✓ {name}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0
