"""What the service manager asks of a worker, by signals, and how far it has got with it."""

from __future__ import annotations

import logging
import os
import signal

from queuectl.domain.settings import Settings
from queuectl.domain.states import Outcome
from queuectl.worker.log import event
from queuectl.worker.notify import Notify
from queuectl.worker.slots import Slots

_ORPHAN_GRACE = 3.0
"""Seconds that jobs get to end when the service manager died: its successor starts another worker of this name."""
_GIVE_UP_AFTER = 10.0
"""Seconds for which a worker that should end goes on trying to write its last results. The next one recovers them."""


class Orders:
    """`running` → `draining` (USR2) → `stopping` (TERM, INT, QUIT); HUP asks for a reload on the way."""

    def __init__(self, slots: Slots, settings: Settings, name: str, parent: int, notify: Notify) -> None:
        """`parent` is the pid of the process that started this one."""
        self.state = "running"
        self.stop_at: float | None = None
        """When what still runs is ended, once stopping; monotonic."""
        self.give_up_at = float("inf")
        """When not to wait any longer for a database that can't be written."""
        self.reload = False
        """A reload was asked for; whoever heeds it takes this back."""
        self._slots = slots
        self._settings = settings
        self._name = name
        self._parent = parent
        self._notify = notify

    @property
    def claims(self) -> bool:
        """Whether the worker takes new jobs."""
        return self.state == "running"

    @property
    def stopping(self) -> bool:
        """Whether it ends once its jobs have."""
        return self.state == "stopping"

    def receive(self, number: signal.Signals, now: float) -> None:
        """Do as the signal says."""
        if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and _has_terminal()):
            if os.getppid() != self._parent:
                self._stop(now, 0)
                self._hasten(now, min(_ORPHAN_GRACE, self._settings.kill_grace))
            elif self.stopping:
                self._hasten(now, None)
            else:
                self._stop(now, self._settings.shutdown_timeout)
        elif number == signal.SIGQUIT:
            self._stop(now, 0)
            self._hasten(now, 0)
        elif number == signal.SIGHUP:
            self.reload = not self.stopping
        elif number == signal.SIGUSR2 and self.claims:
            self.state = "draining"
            event("worker.draining", worker=self._name, running=len(self._slots.running))

    def work(self, now: float) -> None:
        """End what still runs when its time is over."""
        if self.stop_at is not None and now >= self.stop_at:
            self._hasten(now, None)

    def _stop(self, now: float, timeout: float) -> None:
        if not self.stopping:
            self.state = "stopping"
            self.stop_at = now + timeout
            self._notify.stopping(timeout + self._settings.kill_grace + _GIVE_UP_AFTER)
            event("worker.stopping", worker=self._name, running=len(self._slots.running), timeout=timeout)

    def _hasten(self, now: float, grace: float | None) -> None:
        """End what runs, now; `grace` in seconds, None = each job's own."""
        self.stop_at = None
        self.give_up_at = now + self._settings.kill_grace + _GIVE_UP_AFTER
        if self._slots.running:
            event("worker.hastened", logging.INFO, worker=self._name, running=len(self._slots.running))
        self._slots.end_all(Outcome.RELEASED, now, grace)


def _has_terminal() -> bool:
    """Whether HUP means that somebody closed the window, not that a service is to reload."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
