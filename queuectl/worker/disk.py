"""Whether there is room for jobs to write: below a limit nothing is claimed."""

from __future__ import annotations

import logging
import os

from queuectl.worker.log import event

_LOOK_EVERY = 1.0


class Disk:
    """The file system of a directory."""

    def __init__(self, path: str, min_free: int) -> None:
        """`min_free` in bytes."""
        self._path = path
        self._min_free = min_free
        self._look_at = 0.0
        self.is_well = True
        """What the last look said."""

    def has_room(self, now: float) -> bool:
        """Whether at least `min_free` bytes are free for this user; looked up at most once a second."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            self.look()
        return self.is_well

    def look(self) -> bool:
        """Look it up now."""
        try:
            found = os.statvfs(self._path)
        except OSError:
            return self.is_well  # gone: somebody else finds out
        well = found.f_bavail * found.f_frsize >= self._min_free
        if well != self.is_well:
            self.is_well = well
            event("disk.well" if well else "disk.low", logging.INFO if well else logging.WARNING, path=self._path)
        return well
