"""Saying which process keeps a job from ending: one that may not be signalled, such as another user's behind sudo."""

from __future__ import annotations

import logging
from collections.abc import Collection

from queuectl.storage import claims
from queuectl.storage.claims import Claim
from queuectl.storage.database import Database
from queuectl.worker.log import event


def tell_of_stuck(database: Database, worker: int, claim: Claim, pids: Collection[int]) -> None:
    """Log it, and let `show` say it. The job stays `processing`: it must not run again beside them."""
    names = ", ".join(map(str, sorted(pids)))
    event("job.stuck", logging.WARNING, id=claim.id, attempt=claim.number, pids=names)
    with database.write(synced=False):
        claims.note(database, worker, claim.job, claim.number, f"can't be ended: no permission to signal pid {names}")
