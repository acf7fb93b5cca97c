"""Runs on the bare machine, as its root: installs queuectl from /src, watches its demo, and reports in JSON.

What the commands print goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, "/src/tests/support")

from bare_within import changed, files, shell


def typed(line: str) -> str:
    """What a line prints that is typed in the directory of the source."""
    return shell(line, cwd="/src")


def facts() -> dict[str, tuple[int, int]]:
    """Every file and directory of the machine, with size and time of change."""
    return {path: (found.st_size, found.st_mtime_ns) for path, found, _ in files("/src/.venv")}


def processes() -> dict[int, str]:
    """All that live on this machine but for this script and what called it; the dead that nobody reaped aside."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid(), os.getppid()):
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),  # it ended meanwhile
                open(f"/proc/{name}/stat") as stat,
                open(f"/proc/{name}/cmdline") as words,
            ):
                if stat.read().rpartition(")")[2].split()[0] != "Z":
                    found[int(name)] = words.read().replace("\0", " ").strip()
    return found


def demo() -> dict[str, object]:
    before, temporary = facts(), sorted(os.listdir("/tmp"))
    process = subprocess.Popen([".venv/bin/queuectl", "demo"], cwd="/src", stdout=subprocess.PIPE, text=True)
    said, supervisord = "", ""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(line)
        said += line
        if found := re.search(r"supervisord runs with PID (\d+)", line):
            supervisord = processes().get(int(found.group(1)), "")
    code = process.wait()
    return {
        "code": code,
        "said": said,
        "supervisord": supervisord,
        "left": list(processes().values()),
        "changed": changed(before, facts()),
        "temporary": sorted(set(os.listdir("/tmp")) - set(temporary)),
    }


def main() -> None:
    report: dict[str, object] = {}
    typed("python3 -m venv .venv && .venv/bin/pip install .")
    report["demo"] = demo()
    os.environ["PATH"] = "/src/.venv/bin:" + os.environ["PATH"]
    report["listed"] = typed("pip list | grep queuectl").split()
    typed("echo y | pip uninstall queuectl")
    report["uninstalled"] = not os.path.exists("/src/.venv/bin/queuectl")
    typed("pip install -e .")
    report["help"] = typed("queuectl --help")
    report["validation"] = typed("python tests/test_validation.py")
    print(json.dumps(report))


main()
