"""Making the jobs that ran when a backup was made ready to run again."""

from __future__ import annotations

import time

from queuectl.errors import WrongState
from queuectl.storage.database import Database
from queuectl.worker.recovery import Recovery

_PATIENCE = 15.0
_STEP = 0.02


def give_back_all(database: Database, locks: str, outputs: str) -> None:
    """Give back what the database says runs, uncounted: its workers ended long ago, and not by the jobs' fault.

    Whatever is left of their processes is ended first, as in any recovery: no job may run twice at once.

    Raises:
        WrongState: a process can't be ended.
    """
    recovery = Recovery(database, locks, outputs, "", give_back=True)
    until = time.monotonic() + _PATIENCE
    recovery.look(time.monotonic())
    while recovery.busy:
        recovery.step(time.monotonic())
        if time.monotonic() > until:
            raise WrongState(
                "expected the processes of the jobs in the backup to end, and some can't be killed",
                hint="`queuectl doctor` names them",
            )
        if recovery.busy:
            time.sleep(_STEP)
