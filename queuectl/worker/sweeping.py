"""Removing outputs whose job isn't there any more: whoever forgot the job was killed before it came to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from queuectl.domain.clock import now_ms
from queuectl.execution.place import SPOOL, forget_outputs
from queuectl.storage import retention
from queuectl.storage.database import Database
from queuectl.worker.log import event

_EVERY = 3600.0


class Sweeper:
    """Goes through all outputs, a part at each turn, and begins anew an hour later."""

    def __init__(self, database: Database, outputs: str, kept: float) -> None:
        """Only what is older than `kept` seconds is removed, as for completed jobs: the job may be in the database
        that a restore put aside. 0 = nothing ever is."""
        self._database = database
        self._outputs = outputs
        self._kept = kept
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._begin_at = 0.0

    def work(self, now: float) -> None:
        """The next part, if it is time to; `now` is monotonic. Raises DatabaseError."""
        if not self._kept or now < self._begin_at:
            return
        if self._entries is None:
            try:
                self._entries = os.scandir(self._outputs)
            except OSError:
                return  # gone with the home, say: the loop finds out
        part = list(islice(self._entries, retention.AT_ONCE))
        if len(part) < retention.AT_ONCE:
            self._entries = None
            self._begin_at = now + _EVERY
        before = now_ms() / 1000 - self._kept
        old = [entry.name for entry in part if entry.name[0] != SPOOL and _is_older(entry, before)]
        self._remove(retention.strangers(self._database, old))

    def _remove(self, names: list[str]) -> None:
        if not names:
            return
        # Behind the write lock, since somebody may be about to enqueue a job with such an id.
        with self._database.write(synced=False):
            gone = retention.strangers(self._database, names)
            for name in gone:
                forget_outputs(self._outputs, name)
        event("leader.retention", outputs=len(gone))


def _is_older(entry: os.DirEntry[str], before: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < before
    except OSError:
        return False  # somebody else was quicker
