"""Runs on the bare machine, as its root: installs queuectl from /src, watches its demo, and reports in JSON.

Uses nothing but the standard library; what the commands print goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

NOT_FILES = ("/proc", "/dev", "/sys", "/tmp", "/src/.venv")


def shell(line: str) -> str:
    """Run a line as a person types it, in the directory of the source; its stdout."""
    print(f"$ {line}", file=sys.stderr, flush=True)
    done = subprocess.run(["bash", "-c", line], cwd="/src", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode != 0:
        sys.exit(f"{line}: exit {done.returncode}")
    return done.stdout


def files() -> dict[str, tuple[int, int]]:
    """Every file and directory of the machine, with size and time of change."""
    found = {}
    for top, directories, names in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in NOT_FILES]
        for path in [top, *(os.path.join(top, name) for name in names)]:
            facts = os.lstat(path)
            found[path] = (facts.st_size, facts.st_mtime_ns)
    return found


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
    before, temporary = files(), sorted(os.listdir("/tmp"))
    process = subprocess.Popen([".venv/bin/queuectl", "demo"], cwd="/src", stdout=subprocess.PIPE, text=True)
    said, supervisord = "", ""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(line)
        said += line
        if found := re.search(r"supervisord runs with PID (\d+)", line):
            supervisord = processes().get(int(found.group(1)), "")
    code = process.wait()
    after = files()
    return {
        "code": code,
        "said": said,
        "supervisord": supervisord,
        "left": list(processes().values()),
        "changed": sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)),
        "temporary": sorted(set(os.listdir("/tmp")) - set(temporary)),
    }


def main() -> None:
    report: dict[str, object] = {}
    shell("python3 -m venv .venv && .venv/bin/pip install .")
    report["demo"] = demo()
    os.environ["PATH"] = "/src/.venv/bin:" + os.environ["PATH"]
    report["listed"] = shell("pip list | grep queuectl").split()
    shell("echo y | pip uninstall queuectl")
    report["uninstalled"] = not os.path.exists("/src/.venv/bin/queuectl")
    shell("pip install -e .")
    report["help"] = shell("queuectl --help")
    report["validation"] = shell("python tests/test_validation.py")
    print(json.dumps(report))


main()
