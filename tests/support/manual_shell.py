"""A person's shell: a HOME of its own, a working directory in it, and queuectl on the PATH."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from real_home import alive, until

BIN = os.path.dirname(sys.executable)
GOOD, BAD = "echo well", "exit 3"


class Shell:
    def __init__(self, top: str) -> None:
        self.top = top
        self.home = os.path.join(top, ".queuectl")
        self.directory = os.path.join(top, "work")
        os.mkdir(self.directory)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        # The home is named too: a machine with a queue of the system's own would else have its home found.
        self.environment = {
            **kept,
            "HOME": top,
            "QUEUECTL_HOME": self.home,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def __call__(self, line: str, code: int = 0) -> str:
        """Run a line in bash, as it was typed; returns its stdout."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def document(self, line: str) -> Any:
        return json.loads(self(f"{line} --json"))

    def write(self, name: str, content: object) -> None:
        """A file in the working directory: text as it is, all else as JSON."""
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    # Jobs

    def enqueue(self, command: str, **keys: object) -> str:
        given = json.dumps({"command": command, **keys})
        done = subprocess.run(
            [os.path.join(BIN, "queuectl"), "enqueue", given],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        found: list[dict[str, Any]] = self.document("queuectl list --limit 0")
        return found[::-1]

    def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document(f"queuectl show {job}")
        return found

    def ended(self, job: str) -> dict[str, Any]:
        until(lambda: self.job(job)["state"] in ("completed", "dead", "cancelled"), f"{job} to end")
        return self.job(job)

    def in_state(self, job: str, state: str) -> dict[str, Any]:
        until(lambda: self.job(job)["state"] == state, f"{job} to be {state}")
        return self.job(job)

    def drain(self) -> None:
        """Run all that there is to run."""
        self("queuectl worker run --drain")

    def states(self) -> list[str]:
        """A completed job, a failed one, a dead one and a pending one; their ids."""
        self.enqueue(GOOD, id="well")
        self.enqueue(BAD, id="lost", max_retries=0)
        self.drain()
        self.enqueue(BAD, id="again", backoff_base=60)
        self("queuectl worker start")
        self.in_state("again", "failed")
        self("queuectl worker stop")
        self.enqueue(GOOD, id="waits")
        return ["well", "lost", "again", "waits"]

    # Workers

    def pids(self) -> list[int]:
        """The processes of the workers that run, all of them alive."""
        found = [worker["pid"] for worker in self.document("queuectl worker status") if worker["pid"] is not None]
        assert all(alive(pid) for pid in found), found
        return found

    def workers(self) -> list[str]:
        return [w["name"] for w in self.document("queuectl worker status") if w["pid"] and w["state"] == "running"]

    def close(self) -> None:
        if os.path.exists(os.path.join(self.home, "supervisor", "supervisord.conf")):
            self("queuectl worker stop --force")
        shutil.rmtree(self.top, ignore_errors=True)


@contextlib.contextmanager
def fresh_shell() -> Iterator[Shell]:
    shell = Shell(tempfile.mkdtemp(prefix="qm-", dir="/tmp"))
    try:
        yield shell
    finally:
        shell.close()
