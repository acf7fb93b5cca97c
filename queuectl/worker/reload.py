"""HUP: a new program or configuration, under the same PID, while the jobs run on.

First the new program is tried in a child; only if that is content does the worker exec. Its jobs stay its children,
its lock stays locked, and what it knows of them travels in a memory file.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

from queuectl.config.installation import Installation
from queuectl.worker.handover import FORMAT, VARIABLE, Handover, leave
from queuectl.worker.log import event
from queuectl.worker.signals import WATCHED
from queuectl.worker.slots import Slots

_PATIENCE = 30.0
"""Seconds for the new program to say that it can."""


class Reload:
    """Asked for, tried, and then done or refused."""

    def __init__(self, place: Installation, pool: str, slots: Slots) -> None:
        self.refusals = 0
        """How often the new program was no good."""
        self._place = place
        self._pool = pool
        self._slots = slots
        self._checker = 0
        """The pid of the child that tries."""
        self._said = -1
        """The memory file of what it says."""
        self._until = 0.0

    @property
    def busy(self) -> bool:
        """Whether a try goes on."""
        return self._checker != 0

    def ask(self, now: float) -> None:
        """Begin to try the new program, unless that is being done: what it finds is what the exec will."""
        if self.busy:
            return
        self._said = os.memfd_create("queuectl-check")
        try:
            child = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said, start_new_session=True
            )
        except OSError as error:
            self._refuse(f"{sys.executable}: {error.strerror}")
            return
        child.returncode = 0  # reaped with all other children
        self._checker = child.pid
        self._until = now + _PATIENCE
        self._slots.expect(child.pid)

    def is_ready(self, now: float) -> bool:
        """Whether the new program said that it can take over; True once."""
        if not self.busy:
            return False
        status = self._slots.exit_of(self._checker)
        if status is None:
            if now >= self._until:
                os.kill(self._checker, signal.SIGKILL)
                self._refuse(f"`worker check` took longer than {_PATIENCE:g} s")
            return False
        if status != 0:
            said = os.pread(self._said, 4096, 0).decode(errors="replace").strip()
            self._refuse(said or f"`worker check` ended with status {status}")
            return False
        self._forget()
        return True

    def exec(self, handover: Handover) -> None:
        """Become the new program. Returns only if that can't be done; the worker goes on as it was."""
        # A HUP that comes before the new program has its handlers would end it: Python starts with the default.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        memory = leave(handover)
        sys.stderr.flush()
        try:
            os.execve(sys.executable, sys.orig_argv, {**os.environ, VARIABLE: str(memory)})  # noqa: S606
        except OSError as error:
            self._refuse(f"{sys.executable}: {error.strerror}")
        os.close(memory)
        for kept in (handover.presence, *(each.output for each in handover.attempts)):
            os.set_inheritable(kept, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    def _command(self) -> list[str]:
        """The same interpreter and program, asked instead of run."""
        program = sys.orig_argv[: sys.orig_argv.index("worker")]
        config = ["--config", self._place.config_file] if self._place.explicit_config else []
        return [
            sys.executable,
            *program[1:],
            "worker",
            "check",
            "--home",
            self._place.home,
            *config,
            "--pool",
            self._pool,
            "--handover",
            str(FORMAT),
        ]

    def _refuse(self, reason: str) -> None:
        event("worker.reload_refused", logging.ERROR, reason=reason)
        self.refusals += 1
        self._forget()

    def _forget(self) -> None:
        self._checker = 0
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
