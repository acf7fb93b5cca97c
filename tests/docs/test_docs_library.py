"""The examples of docs/library.md run, in their order, in one home with a worker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuectl import Queue, errors

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home of its own, with a worker; never the person's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
    made = {**kept, "HOME": str(tmp_path), "QUEUECTL_HOME": str(tmp_path / "home")}
    worker = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "worker", "run"],
        env={**made, "QUEUECTL_LOG_LEVEL": "info"},
        stderr=subprocess.PIPE,
    )
    assert worker.stderr is not None
    try:
        assert b"worker.started" in worker.stderr.readline()
        yield made
    finally:
        worker.send_signal(signal.SIGQUIT)
        worker.wait(20)
        worker.stderr.close()


def test_the_examples_run_and_print_what_they_say(environment: dict[str, str], tmp_path: Path) -> None:
    assert len(EXAMPLES) > 4
    for number, example in enumerate(EXAMPLES):
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", example],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), example
        for said in re.findall(r"print\(.*?\)  # (.+)$", example, re.MULTILINE):
            assert said in ran.stdout.splitlines(), example
        if number == 0:
            said = re.search(r"^prints, .*: `(.*)`", PAGE, re.MULTILINE)
            assert said
            assert ran.stdout == f"{said[1]}\n"


def test_every_error_of_the_table_is_one() -> None:
    table = PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    for name in named:
        assert name == "ValueError" or issubclass(getattr(errors, name), errors.QueuectlError)
    kinds = {kind.__name__ for kind in errors.DatabaseError.__subclasses__()}
    assert kinds <= set(re.findall(r"`(\w+)`", table))


def test_every_method_is_shown() -> None:
    methods = {name for name, value in vars(Queue).items() if callable(value) and not name.startswith("_")}
    # What the command line is made of, and nobody else needs.
    assert {name for name in methods if f".{name}(" not in PAGE} == {"insert", "defaults", "changeable"}
