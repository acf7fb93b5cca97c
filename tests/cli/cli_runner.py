"""The installed command, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = str(Path(sys.executable).parent / "queuectl")


class Result(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Cli:
    """Runs queuectl as a person would."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.directory = directory
        strange = ("QUEUECTL_", "NO_COLOR", "COLUMNS", "LINES")
        outside = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        # HOME too: nothing here may ever reach the person's own queue.
        self.env = {**outside, "HOME": str(directory), "QUEUECTL_HOME": str(self.home), "TERM": "xterm-256color"}

    def __call__(
        self, *words: str | bytes, stdin: str | bytes = b"", code: int | None = 0, env: dict[str, str] | None = None
    ) -> Result:
        """Run it; `code` is what it must exit with, None = whatever."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [PROGRAM, *words],
            input=given,
            capture_output=True,
            cwd=self.directory,
            env={**self.env, **(env or {})},
            timeout=60,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        assert "Traceback" not in result.err, result.err
        assert "internal error" not in result.err, result.err
        assert code is None or result.code == code, result
        return result

    def enqueue(self, command: str = "true", *options: str, **keys: object) -> str:
        """Queue a job; its id."""
        return self("enqueue", json.dumps({"command": command, **keys}), *options).out.strip()

    def drain(self) -> None:
        """Run all that there is to run."""
        self("worker", "run", "--drain")

    def job(self, job_id: str) -> Any:
        return self("show", job_id, "--json", "--env").json

    def write(self, name: str, text: str | bytes) -> str:
        """A file in the working directory; its name."""
        data = text.encode() if isinstance(text, str) else text
        (self.directory / name).write_bytes(data)
        return name


def fails(result: Result, code: int, *words: str) -> None:
    """It ended with `code`, said why in one line that holds all of `words`, and printed no data."""
    errors = [line for line in result.err.splitlines() if line.startswith("queuectl: error: ")]
    assert result.code == code, result
    assert len(errors) == 1, result.err
    assert result.raw == b""
    missing = [word for word in words if word not in result.err]
    assert not missing, (missing, result.err)


def ids_of(jobs: Sequence[dict[str, Any]]) -> list[str]:
    return [job["id"] for job in jobs]
