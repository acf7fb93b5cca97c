"""A throw-away machine with a real systemd, and what a test does there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from real_home import until

HERE = os.path.dirname(os.path.abspath(__file__))
QUEUECTL = os.path.join(os.path.dirname(sys.executable), "queuectl")
HOME = "/var/lib/queuectl"
CONFIG = "/etc/queuectl/queuectl.yaml"
UNITS = "/etc/systemd/system"


class Machine:
    """Commands run as root inside, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }

    def run(
        self, *argv: str, code: int | None = 0, given: str = "", merge: bool = False, timeout: float = 60, **env: str
    ) -> str:
        """Run a command; what it printed. `merge` has stderr in it too."""
        asked = {"argv": argv, "env": {**self.env, **env}, "input": given, "merge": merge, "timeout": timeout}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the machine is gone (exit {self._process.wait(30)})"
        done = json.loads(line)
        assert code is None or done["code"] == code, f"{argv}: exit {done['code']}\n{done['out']}{done['err']}"
        return str(done["out"])

    def code(self, *argv: str) -> int:
        """Run a command; how it exited."""
        return int(self.run("sh", "-c", '"$@" > /dev/null 2>&1; echo $?', "sh", *argv))

    def sh(self, script: str, code: int | None = 0, timeout: float = 60) -> str:
        return self.run("sh", "-ec", script, code=code, timeout=timeout)

    def queuectl(self, *words: str, code: int | None = 0, merge: bool = False) -> str:
        return self.run(QUEUECTL, *words, code=code, merge=merge)

    def document(self, *words: str) -> Any:
        return json.loads(self.queuectl(*words, "--json"))

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        text = self.run("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", 'mkdir -p "$(dirname "$0")"; cat > "$0"', path, given=text)

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def workers(self) -> dict[str, int | None]:
        """The pids of all workers, as queuectl says them."""
        return {each["name"]: each["pid"] for each in self.document("worker", "status")}

    def states(self) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.document("worker", "status")}

    def job(self, ident: str) -> Any:
        return self.document("show", ident)

    def enqueue(self, *argv: str, options: tuple[str, ...] = ()) -> str:
        return self.queuectl("enqueue", *options, "--", *argv).strip()

    def wait_job(self, ident: str, state: str, seconds: float = 15) -> Any:
        until(lambda: self.job(ident)["state"] == state, f"{ident} is {state}; it is {self.job(ident)}", seconds)
        return self.job(ident)


@contextmanager
def booted(*options: str) -> Iterator[Machine]:
    """A machine, booted anew; `options` are with-systemd.sh's."""
    argv = [f"{HERE}/with-systemd.sh", *options, "--", sys.executable, f"{HERE}/agent.py"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        machine = Machine(process)
        # The user of the service must be able to run the interpreter, which may lie in root's own directory.
        directory = os.path.dirname(os.path.realpath(sys.executable))
        while directory != "/":
            machine.run("chmod", "a+x", directory)
            directory = os.path.dirname(directory)
        yield machine
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
