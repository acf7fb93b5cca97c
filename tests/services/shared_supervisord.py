"""A supervisord that is somebody else's, with a directory of programs, as a distribution sets it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from real_home import until
from supervised import Supervised

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


class Shared(Supervised):
    """That supervisord, and a home of queuectl."""

    def __init__(self, top: str) -> None:
        super().__init__(
            f"{top}/home",
            f"{{manager: supervisord, supervisord_config: {top}/supervisord.conf}}",
            f"{top}/supervisord.conf",
            f"{top}/s.sock",
        )
        self.top = top
        for name in ("conf.d", "log"):
            os.mkdir(f"{top}/{name}", 0o700)
        self.write("supervisord.conf", CONFIG)
        self._daemon: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        self.queuectl("service", "install")

    def write(self, name: str, text: str) -> None:
        with open(f"{self.top}/{name}", "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o600)

    def boot(self) -> None:
        argv = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", f"{self.top}/supervisord.conf"]
        with open(f"{self.top}/out", "wb") as out:
            self._daemon = subprocess.Popen(argv, stdout=out, stderr=out)
        until(lambda: "RUNNING" in self.ctl("status", "other"), "supervisord runs")

    def end(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(60)
            self._daemon = None


@contextmanager
def shared_supervisord() -> Iterator[Shared]:
    with tempfile.TemporaryDirectory(prefix="q", dir="/tmp") as top:
        made = Shared(top)
        try:
            made.boot()
            yield made
        finally:
            made.queuectl("worker", "stop", "--force", code=None)
            made.end()
