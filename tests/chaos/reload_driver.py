"""queuectl, killed at a point of its reload: `CHAOS_POINT=asked:2 python reload_driver.py worker run …`

asked:N    before the N-th statement after HUP was heeded
leaving:1  all is handed over, and the exec is next
begun:N    before the N-th statement of the program after the exec
"""

from __future__ import annotations

import os
import signal
import sys

from queuectl.cli.main import main
from queuectl.storage.connection import Connection
from queuectl.worker.handover import VARIABLE
from queuectl.worker.reload import Reload


class Point:
    """Counts down to the kill, once `armed`."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.armed = False

    def passed(self) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def stand_before(self, owner: object, name: str) -> None:
        """Have each call of it pass the point."""
        function = getattr(owner, name)

        def called(*arguments: object) -> object:
            self.passed()
            return function(*arguments)

        setattr(owner, name, called)


def plant(phase: str, number: int) -> None:
    point = Point(number)
    if phase == "leaving":
        point.armed = True
        point.stand_before(os, "execve")
        return
    for name in ("rows", "change", "change_many"):
        point.stand_before(Connection, name)
    if phase == "begun":
        point.armed = VARIABLE in os.environ
        return
    ask = Reload.ask

    def asked(self: Reload, now: float) -> None:
        point.armed = True
        ask(self, now)

    Reload.ask = asked  # type: ignore[method-assign]


if __name__ == "__main__":
    if "run" in sys.argv:
        where, _, count = os.environ["CHAOS_POINT"].partition(":")
        plant(where, int(count))
    sys.exit(main())
