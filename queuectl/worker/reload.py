"""HUP: a new program or configuration, under the same PID, while the jobs run on.

First the new program is tried in a child; only if that is content does the worker exec. Its jobs stay its children,
its lock stays locked, and what it knows of them travels in a memory file.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from queuectl.config.installation import Installation
from queuectl.worker.errand import Errand
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
        self._check: Errand | None = None
        self._until = 0.0

    def ask(self, now: float) -> None:
        """Begin to try the new program, unless that is being done: what it finds is what the exec will."""
        if self._check is not None:
            return
        words = ("worker", "check", "--pool", self._pool, "--handover", str(FORMAT))
        try:
            self._check = Errand(self._place, self._slots, "check", words)
        except OSError as error:
            self._refuse(f"{sys.executable}: {error.strerror}")
        self._until = now + _PATIENCE

    def is_ready(self, now: float) -> bool:
        """Whether the new program said that it can take over; True once."""
        if self._check is None:
            return False
        end = self._check.end()
        if end is None:
            if now >= self._until:
                self._check.kill()
                self._check = None
                self._refuse(f"`worker check` took longer than {_PATIENCE:g} s")
            return False
        self._check = None
        if end.status != 0:
            self._refuse(end.said)
        return end.status == 0

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

    def _refuse(self, reason: str) -> None:
        event("worker.reload_refused", logging.ERROR, reason=reason)
        self.refusals += 1
