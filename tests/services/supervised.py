"""An installation whose workers a real supervisord runs, and ways to look at them: through queuectl, through
`supervisorctl`, and by the workers' locks, which is quick enough to measure by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from real_home import until

from queuectl.pools.presence import sightings
from queuectl.services.supervisord.programs import units_of
from queuectl.services.supervisord.rpc import Rpc

QUEUECTL = os.path.join(os.path.dirname(sys.executable), "queuectl")

YAML = """\
service: {service}
kill_grace: 1
shutdown_timeout: 20
backoff_base: 1
backoff_jitter: 0
pools:
  default: {{workers: 3}}
"""


class Supervised:
    """The installation at `home`; `supervisord` is the configuration of what runs its workers, `socket` where it
    listens."""

    def __init__(self, home: str, service: str, supervisord: str, socket: str) -> None:
        self.home = home
        self.supervisord = supervisord
        self.socket = socket
        os.makedirs(home, 0o700)
        self._write(YAML.format(service=service))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        self.environment = {**kept, "QUEUECTL_HOME": home}

    def install(self) -> None:
        """Have its workers run, from nothing."""
        self.queuectl("worker", "start")

    def configure(self, old: str, new: str) -> None:
        with open(f"{self.home}/queuectl.yaml") as file:
            text = file.read()
        assert old in text
        self._write(text.replace(old, new))

    def _write(self, text: str) -> None:
        with open(f"{self.home}/queuectl.yaml", "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o600)

    def ctl(self, *words: str) -> str:
        argv = [sys.executable, "-m", "supervisor.supervisorctl", "-c", self.supervisord, *words]
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
        """The pids of the workers, as `queuectl worker status` says them."""
        return {each["name"]: each["pid"] for each in self.document("worker", "status")}

    def states(self) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.document("worker", "status")}

    def programs(self) -> dict[str, int | None]:
        """The pids of the workers, as `supervisorctl status` says them."""
        found: dict[str, int | None] = {}
        for line in self.ctl("status").splitlines():
            name, state, *rest = line.split()
            if name.startswith("queuectl-"):
                found[name.removeprefix("queuectl-")] = int(rest[1].rstrip(",")) if state == "RUNNING" else None
        return found

    def processes(self) -> dict[str, int | None]:
        """The pids that supervisord has, ready or not."""
        rpc = Rpc.connect(self.socket)
        assert rpc is not None
        with rpc:
            return {unit.name: info.pid for unit, info in units_of(rpc.programs()).items()}

    def ready(self) -> dict[str, int]:
        """The pids of the workers that serve, as their locks say them."""
        return {
            seen.name: seen.record.pid
            for seen in sightings(f"{self.home}/locks")
            if seen.held and seen.record is not None and seen.record.state == "running"
        }

    def enqueue(self, *argv: str) -> str:
        return self.queuectl("enqueue", "--", *argv).strip()

    def enqueue_lines(self, lines: str, *options: str) -> None:
        """One shell command a line."""
        argv = [QUEUECTL, "enqueue", *options, "--lines", "-"]
        subprocess.run(argv, env=self.environment, input=lines, text=True, stdout=subprocess.DEVNULL, check=True)

    def job(self, ident: str) -> Any:
        return self.document("show", ident)

    def wait_job(self, ident: str, state: str) -> Any:
        until(lambda: self.job(ident)["state"] == state, f"{ident} is {state}")
        return self.job(ident)


@contextmanager
def private_supervisord() -> Iterator[Supervised]:
    """Workers under the supervisord that queuectl starts itself."""
    home = tempfile.mkdtemp(prefix="q", dir="/tmp")
    place = f"{home}/h/supervisor"
    made = Supervised(f"{home}/h", "{}", f"{place}/supervisord.conf", f"{place}/supervisor.sock")
    try:
        yield made
    finally:
        made.queuectl("worker", "stop", "--force")
        shutil.rmtree(home)
