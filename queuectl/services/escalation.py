"""How to hurry what was told to stop and lingers."""

from __future__ import annotations

from collections.abc import Sequence
from signal import Signals
from typing import NamedTuple

AGAIN = 1.0
"""Seconds between two signals of one step: two in quick succession may reach the process as one."""


class Step(NamedTuple):
    """The signal for what is still there `after` seconds of stopping."""

    after: float
    signal: Signals


class Escalation:
    """Which signal is due when: that of the latest step reached, at once and then each second."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = sorted(steps)
        self._current: Step | None = None
        self._next = 0.0

    def due(self, elapsed: float) -> Signals | None:
        """The signal to send now, `elapsed` seconds after the stop began; to be asked often."""
        reached = [step for step in self._steps if step.after <= elapsed]
        if not reached or (reached[-1] == self._current and elapsed < self._next):
            return None
        self._current = reached[-1]
        self._next = elapsed + AGAIN
        return self._current.signal
