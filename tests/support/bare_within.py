"""For scripts that run on the bare machine, as its root: lines of the shell, and what lies on it.

Uses nothing but the standard library. Commands, and what they print, are shown on stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

NOT_FILES = ("/proc", "/dev", "/sys", "/tmp")


def shell(line: str, cwd: str = "/", merge: bool = False, fails: bool = False) -> str:
    """Run a line as a person types it; its stdout, with stderr in it if `merge`. Unless it `fails`, it must not."""
    print(f"$ {line}", file=sys.stderr, flush=True)
    argv, error = ["bash", "-c", line], subprocess.STDOUT if merge else None
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=error, text=True)
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode != 0 and not fails:
        sys.exit(f"{line}: exit {done.returncode}")
    return done.stdout


def files(*excepted: str) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Every path of the machine, what is said of it, and whether it is a directory; not what is in those excepted."""
    for top, directories, names in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in (*NOT_FILES, *excepted)]
        for path in [top, *(os.path.join(top, name) for name in names)]:
            yield path, os.lstat(path), path == top


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
