"""A file of checks as a script: a line each, and 1 as the exit code where one failed. Needs no pytest."""

from __future__ import annotations

import traceback
from collections.abc import Callable


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
