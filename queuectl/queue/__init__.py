"""What one does to jobs: the library's `Queue`, and the dead letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queuectl.queue.library import Queue as Queue

__all__ = ["Queue"]


def __getattr__(name: str) -> object:
    # Lazy, so that `queuectl enqueue` doesn't pay for what it doesn't use.
    if name == "Queue":
        from queuectl.queue.library import Queue

        return Queue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
