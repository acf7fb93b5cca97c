"""Which queues the workers that live now serve."""

from __future__ import annotations

from collections.abc import Iterable

from queuectl.cli.session import Session


def unserved(session: Session, queues: Iterable[str]) -> list[str]:
    """Those of `queues` that no living worker's pool serves."""
    from queuectl.pools.presence import sightings

    pools = session.settings.pools
    alive = {seen.pool for seen in sightings(session.place.locks) if seen.held}
    # What a pool serves that is gone from the settings, nobody can tell: it doesn't count.
    serving = [pools[pool].queues for pool in alive if pool in pools]
    return [queue for queue in queues if not any(served is None or queue in served for served in serving)]
