"""What to do about a database that is damaged: which backup there is, and the command that puts it in its place."""

from __future__ import annotations

import shlex

from queuectl.config.installation import Installation
from queuectl.domain.clock import rfc3339
from queuectl.errors import DatabaseDamaged, DatabaseForeign, QueuectlError
from queuectl.storage import backup


def restore_command(place: Installation) -> str:
    """The command that restores the newest backup in the home, as one types it anywhere; with FILE where there is
    none."""
    found = backup.dated(place.backups)
    words = ["queuectl", "db", "restore", found[0].path if found else "FILE", "--home", place.home]
    if place.explicit_config:
        words += ["--config", place.config_file]
    return shlex.join(words)


def advised(error: QueuectlError, place: Installation) -> QueuectlError:
    """The error that opening the database met, with what to do in its hint, if a backup mends it."""
    found = backup.dated(place.backups)
    if not isinstance(error, (DatabaseDamaged, DatabaseForeign)) or (isinstance(error, DatabaseForeign) and not found):
        return error
    which = f"the newest is of {rfc3339(found[0].taken_at)}" if found else f"there is none in {place.backups}"
    hint = f"nothing was written to it; put a backup in its place, {which}: "
    return type(error)(str(error), hint=hint + restore_command(place))
