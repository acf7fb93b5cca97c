"""docs/workers.md names every event and every signal."""

from __future__ import annotations

import re
from pathlib import Path

from queuectl.domain.events import EVENTS
from queuectl.worker.signals import WATCHED

PAGE = (Path(__file__).parents[2] / "docs" / "workers.md").read_text()


def test_every_event_is_there_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| .+ \|$", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(EVENTS)


def test_every_signal_is_there() -> None:
    table = PAGE.partition("\n## Signals\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"\b[A-Z]+[12]?\b", " ".join(re.findall(r"^\| ([A-Z12, ]+)", table, re.MULTILINE))))
    # A child's end is no order, and nobody can heed KILL.
    assert {f"SIG{name}" for name in named} == {number.name for number in WATCHED} - {"SIGCHLD"} | {"SIGKILL"}
