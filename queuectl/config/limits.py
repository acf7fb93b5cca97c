"""What must hold between settings, not of one alone."""

from __future__ import annotations

from queuectl.domain.settings import Settings
from queuectl.errors import Problem


def check_total(settings: Settings) -> Problem | None:
    """What is wrong if the pools have more workers together than `max_workers` allows.

    Not checked by `load`: who wants to look at the queue, or to repair the setting, must not be stopped by it.
    """
    counts = {name: pool.workers for name, pool in settings.pools.items() if pool.workers}
    total = sum(counts.values())
    if total <= settings.max_workers:
        return None
    each = ", ".join(f"{name} {workers}" for name, workers in counts.items())
    return Problem(
        "max_workers",
        f"expected at most {settings.max_workers} workers in all pools together, got {total} ({each}); "
        "raise max_workers, or have fewer",
    )
