"""`queuectl demo`, watched while it runs."""

from __future__ import annotations

import os
import re
import subprocess

import psutil
from manual_lines import manual
from real_home import alive


def snapshot(top: str) -> dict[str, tuple[int, int]]:
    """All that is below `top`, with size and time of change."""
    found = {}
    for directory, _, names in os.walk(top):
        for path in [directory, *(os.path.join(directory, name) for name in names)]:
            facts = os.lstat(path)
            found[path] = (facts.st_size, facts.st_mtime_ns)
    return found


def processes(word: str) -> list[str]:
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "status"])
        if any(word in each for each in process.info["cmdline"] or []) and process.info["status"] != "zombie"
    ]


@manual("queuectl demo")
def test_the_demo_shows_all_and_leaves_nothing(shell, line):
    # Modules of the person's own, which must not be taken for those that the demo needs.
    for name in ("json.py", "click.py", "queuectl.py", "supervisor.py"):
        shell.write(name, "raise SystemExit('not for you')")
    before = snapshot(shell.top)
    process = subprocess.Popen(
        line.split(), cwd=shell.directory, env=shell.environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said, daemon, home = "", 0, ""
    with process.stdout:
        for row in process.stdout:
            said += row
            if found := re.search(r"/\S*/queuectl-demo-\w+", row):
                home = home or found.group()
            if found := re.search(r"supervisord runs with PID (\d+)", row):
                daemon = int(found.group(1))
                words = psutil.Process(daemon).cmdline()
                assert any("supervisord" in word for word in words)
                assert any(home in word for word in words)
    assert process.wait(30) == 0
    assert daemon
    assert not alive(daemon)
    assert not os.path.exists(home)
    assert processes(home) == []
    assert snapshot(shell.top) == before
    listed = said.partition("$ queuectl list\n")[2].partition("\n$ ")[0]
    rows = {row.split()[0]: row.split()[1:4] for row in listed.splitlines()}
    assert [rows[job][0] for job in ("hello", "flaky", "broken", "stuck", "urgent")] == [
        "completed", "completed", "dead", "dead", "completed",
    ]  # fmt: skip
    assert rows["flaky"][2] == "2/4"
    assert "dlq list" in said
