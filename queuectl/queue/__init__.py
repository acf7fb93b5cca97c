"""What one does to jobs: the library's `Queue`, and the dead letter queue."""

from queuectl.queue.library import Queue

__all__ = ["Queue"]
