"""Whether nothing of an installation runs: what has to be so before its database is taken away."""

from __future__ import annotations

import os

from queuectl.config.installation import Installation
from queuectl.errors import WrongState
from queuectl.execution.mark import is_marked
from queuectl.execution.tree import pids
from queuectl.pools.presence import sightings


def refuse_unless_still(place: Installation) -> None:
    """Raise WrongState where a worker runs, or a process of a job, and name it."""
    workers = [seen for seen in sightings(place.locks) if seen.held]
    if workers:
        names = ", ".join(f"{seen.name} (pid {seen.record.pid})" if seen.record else seen.name for seen in workers)
        raise WrongState(f"expected no worker to run, got {names}", hint="queuectl worker stop")
    left = leftovers(place.home)
    if left:
        raise WrongState(
            f"expected no job to run, got processes that outlived their workers: {', '.join(map(str, left))}",
            hint=f"wait for them, or: kill {' '.join(map(str, left))}",
        )


def leftovers(home: str) -> list[int]:
    """The processes of jobs of that home, whoever started them: those that carry some mark, and the home's name."""
    wanted = b"\0QUEUECTL_HOME=" + os.fsencode(home) + b"\0"
    found = []
    for pid in pids():
        try:
            if is_marked(pid):
                with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                    if wanted in b"\0" + file.read(2**21):
                        found.append(pid)
        except OSError:
            pass  # gone, or another user's
    return sorted(found)
