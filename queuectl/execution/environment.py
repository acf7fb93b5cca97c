"""The environment that jobs get: the worker's, less what is only the worker's business."""

from __future__ import annotations

from collections.abc import Mapping

_KEPT = frozenset({"QUEUECTL_HOME", "QUEUECTL_CONFIG"})
"""So that a `queuectl enqueue` in a job means this installation."""
_SERVICE = frozenset({"NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM"})
_PREFIXES = ("QUEUECTL_", "WATCHDOG_", "LISTEN_", "SUPERVISOR_")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What jobs inherit of the worker's own environment.

    A job that spoke to the worker's NOTIFY_SOCKET, or took its LISTEN_FDS, would pass for the worker.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not (name in _SERVICE or name.startswith(_PREFIXES))
    }
