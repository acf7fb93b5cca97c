"""Writing down who did what is done outside of the database: to workers, settings, services."""

from __future__ import annotations

import os

from queuectl.cli.session import Session
from queuectl.errors import QueuectlError


def record(session: Session, action: str, target: str | None = None) -> None:
    """Write down what was just done, where there is a database. It was done all the same where that fails: then it is
    said, and no more."""
    from queuectl.config.installation import database_file
    from queuectl.domain.clock import now_ms
    from queuectl.storage import audit

    try:
        if os.path.exists(database_file(session.place, session.settings)):
            audit.record(session.database, action, target, now_ms())
    except QueuectlError as error:
        session.note(f"done, but not written down for `queuectl audit`: {error}")
