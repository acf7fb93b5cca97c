"""A supervisord that is somebody else's, with a directory of programs, as a distribution sets it up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

QUEUECTL = os.path.join(os.path.dirname(sys.executable), "queuectl")

CONFIG = """\
[unix_http_server]
file=%(here)s/s.sock   ; as Debian writes it
chmod=0700

[supervisord]
logfile=%(here)s/log/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s/log
minfds=256
minprocs=16

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/s.sock

[include]
files = %(here)s/conf.d/*.conf

[program:other]
command=sleep 1000
"""

YAML = """\
service: {{manager: supervisord, supervisord_config: {top}/supervisord.conf}}
kill_grace: 1
shutdown_timeout: 20
backoff_base: 1
backoff_jitter: 0
pools:
  default: {{workers: 3}}
"""


class Shared:
    """That supervisord, and a home of queuectl."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.home = f"{top}/home"
        for name in ("conf.d", "log", "home"):
            os.mkdir(f"{top}/{name}", 0o700)
        self.write("supervisord.conf", CONFIG)
        self.write("home/queuectl.yaml", YAML.format(top=top))
        self._daemon: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        self.environment = {**kept, "QUEUECTL_HOME": self.home}

    def write(self, name: str, text: str) -> None:
        with open(f"{self.top}/{name}", "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o600)

    def configure(self, old: str, new: str) -> None:
        with open(f"{self.home}/queuectl.yaml") as file:
            text = file.read()
        assert old in text
        self.write("home/queuectl.yaml", text.replace(old, new))

    def boot(self) -> None:
        argv = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", f"{self.top}/supervisord.conf"]
        with open(f"{self.top}/out", "wb") as out:
            self._daemon = subprocess.Popen(argv, stdout=out, stderr=out)
        self.until(lambda: "RUNNING" in self.ctl("status", "other"), "supervisord runs")

    def end(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(60)
            self._daemon = None

    def ctl(self, *words: str) -> str:
        argv = [sys.executable, "-m", "supervisor.supervisorctl", "-c", f"{self.top}/supervisord.conf", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout

    def queuectl(self, *words: str, code: int | None = 0) -> str:
        """Run queuectl; its output, stderr behind stdout where it wasn't expected to succeed."""
        done = subprocess.run(
            [QUEUECTL, *words], env=self.environment, capture_output=True, text=True, timeout=90, check=False
        )
        assert code is None or done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def document(self, *words: str) -> Any:
        return json.loads(self.queuectl(*words, "--json"))

    def workers(self) -> dict[str, int | None]:
        return {each["name"]: each["pid"] for each in self.document("worker", "status")}

    def states(self) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.document("worker", "status")}

    def programs(self) -> dict[str, int | None]:
        """The pids of the workers, as `supervisorctl` says them."""
        found: dict[str, int | None] = {}
        for line in self.ctl("status").splitlines():
            name, state, *rest = line.split()
            if name.startswith("queuectl-"):
                found[name.removeprefix("queuectl-")] = int(rest[1].rstrip(",")) if state == "RUNNING" else None
        return found

    def job(self, ident: str) -> Any:
        return self.document("show", ident)

    def wait_job(self, ident: str, state: str) -> Any:
        self.until(lambda: self.job(ident)["state"] == state, f"{ident} is {state}")
        return self.job(ident)

    @staticmethod
    def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s in vain: {what}")


@contextmanager
def shared_supervisord(top: str) -> Iterator[Shared]:
    made = Shared(top)
    try:
        made.boot()
        yield made
    finally:
        made.ctl("stop", "all")
        made.end()
