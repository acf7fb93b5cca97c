"""Durable background jobs for shell commands, run by the service manager you already have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queuectl.queue import Queue as Queue

__all__ = ["Queue", "__version__"]
__version__ = "1.0.0"


def __getattr__(name: str) -> object:
    # Lazy, so that `queuectl --help` doesn't pay for the database.
    if name == "Queue":
        from queuectl.queue import Queue

        return Queue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
