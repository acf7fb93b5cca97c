"""The process of the private supervisord: started on demand, ended with its last worker."""

from __future__ import annotations

import fcntl
import os
import pwd
import resource
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from queuectl.errors import ServiceError
from queuectl.services import private
from queuectl.services.manager import Site, WorkerUnit
from queuectl.services.supervisord import socket_place
from queuectl.services.supervisord.rendering import config_path, render
from queuectl.services.supervisord.rpc import Rpc
from queuectl.services.tail import last_lines

PATIENCE = 10.0
"""Seconds for it to start, and to end: both take a tenth of one."""
POLL = 0.02


class Daemon:
    """The supervisord of one home. Who changes anything holds `lock`; who only looks needn't."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One at a time: two at once would start two daemons, or write one's configuration over the other's."""
        handle = private.open_lock(f"{self._site.supervisor}/lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def is_running(self) -> bool:
        rpc = self.connect()
        if rpc is not None:
            rpc.close()
        return rpc is not None

    def connect(self) -> Rpc | None:
        """A connection to the running daemon; None if there is none, or it is ending."""
        return Rpc.connect(socket_place.find(self._site))

    def write_config(self, units: Iterable[WorkerUnit]) -> None:
        """Write the file that a running daemon reads again."""
        private.write(config_path(self._site), render(self._site, units, socket_place.find(self._site)))

    def launch(self, units: Iterable[WorkerUnit]) -> None:
        """Start the daemon with `units`. Under the lock, and only if `connect` found none.

        Raises:
            ServiceError: it didn't start, or one is there that can't be spoken to.
        """
        self._expect_none()
        socket = socket_place.choose(self._site)
        private.write(config_path(self._site), render(self._site, units, socket))
        self._spawn()
        deadline = time.monotonic() + PATIENCE
        while (rpc := self.connect()) is None:
            if time.monotonic() > deadline:
                raise self._failure(f"it didn't answer at {socket} within {PATIENCE:g} s", "")
            time.sleep(POLL)
        rpc.close()

    def end(self, rpc: Rpc) -> None:
        """Shut down the daemon and return when it is gone. Under the lock, with no worker left."""
        with _Pidfd(rpc.pid()) as process:
            # The answer to this call proves that the number was still the daemon's when the descriptor was opened.
            rpc.pid()
            rpc.shutdown()
            if not process.wait(PATIENCE):
                raise ServiceError(
                    f"supervisord (pid {process.pid}) was told to shut down and is still there after {PATIENCE:g} s",
                    hint=f"look at {self._log()}; kill {process.pid}",
                )
        self._remove_leftovers()

    def _spawn(self) -> None:
        # -X utf8: it opens its configuration in the locale's encoding, which may be none for a path. In its own
        # directory: python -m looks for modules in the working directory first, where a person may have a queue.py.
        # A job that starts workers doesn't take them along when it ends: the limit is its mark (execution/mark.py).
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        resource.setrlimit(resource.RLIMIT_RTTIME, (hard, hard))
        argv = [sys.executable, "-X", "utf8", "-m", "supervisor.supervisord", "-c", config_path(self._site)]
        try:
            done = subprocess.run(
                argv,
                cwd=self._site.supervisor,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                umask=0o077,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise self._failure(f"it was still starting after {PATIENCE:g} s", "") from error
        except OSError as error:
            raise self._failure(f"{sys.executable} can't be run: {error.strerror}", "") from error
        if done.returncode != 0:
            raise self._failure(f"exit {done.returncode}", done.stdout.decode("utf-8", "replace"))

    def _environment(self) -> dict[str, str]:
        """The shell's, less queuectl's own: a worker is told all by its command line."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        if self._site.user is not None:
            entry = pwd.getpwnam(self._site.user)
            env |= {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
        return env

    def _expect_none(self) -> None:
        """Wait for a daemon that is ending; refuse to start a second beside one that lost its socket."""
        pid = self._pid()
        if pid is None:
            return
        with _Pidfd(pid) as process:
            # Again, with the process held: a number may have changed hands in between.
            if self._pid() != pid or process.wait(PATIENCE):
                return
        raise ServiceError(
            f"supervisord (pid {pid}) runs for this home, but doesn't answer at {socket_place.find(self._site)}: "
            "it is shutting down, or its socket was removed",
            hint=f"wait for its workers to end, or: kill {pid}",
        )

    def _pid(self) -> int | None:
        """The daemon by its pidfile, if such a process runs on our configuration."""
        try:
            with open(f"{self._site.supervisor}/supervisord.pid", encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(config_path(self._site)) in words else None

    def _remove_leftovers(self) -> None:
        socket_place.remove(self._site)
        try:
            os.unlink(f"{self._site.supervisor}/supervisord.pid")
        except FileNotFoundError:
            pass

    def _log(self) -> str:
        return f"{self._site.logs}/supervisord.log"

    def _failure(self, what: str, output: str) -> ServiceError:
        lines = output.splitlines()[-10:] or last_lines(self._log(), 10)
        return ServiceError(
            "\n".join([f"supervisord didn't start: {what}", *(f"  {line}" for line in lines)]),
            hint=f"its configuration is {config_path(self._site)}, its log {self._log()}",
        )


class _Pidfd:
    """A process held by a descriptor, so that its number can't pass to another unnoticed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._fd = None

    def __enter__(self) -> _Pidfd:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def wait(self, seconds: float) -> bool:
        """True when it has ended, false if it is still there after `seconds`."""
        if self._fd is None:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
