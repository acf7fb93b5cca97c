"""A worker and whoever recovers its jobs both write how an attempt ended: the first one counts, in either order."""

from __future__ import annotations

from pathlib import Path

import pytest
from queue_file import NOW, add, add_worker, check_sound, ending

from queuectl.domain.states import Outcome, State
from queuectl.storage import claims
from queuectl.storage.database import Database

RESCUE = (State.FAILED, Outcome.CRASHED)
WAYS = {
    "finish": (State.COMPLETED, Outcome.COMPLETED),
    "fail": (State.FAILED, Outcome.FAILED),
    "release": (State.PENDING, Outcome.RELEASED),
}


@pytest.mark.parametrize("worker_first", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_the_first_to_end_an_attempt_counts(tmp_path: Path, way: str, worker_first: bool) -> None:
    database = Database(str(tmp_path / "queue.db"), synchronous="off")
    worker = add_worker(database)
    add(database)
    with database.write():
        (claim,) = claims.claim(database, worker, None, [0], NOW)
    order = [WAYS[way], RESCUE] if worker_first else [RESCUE, WAYS[way]]
    endings = [ending(claim, state, outcome, run_at=NOW) for state, outcome in order]
    with database.write():
        assert claims.finish(database, worker, endings[:1]) == []
        assert claims.finish(database, worker, endings[1:]) == endings[1:]
    assert database.rows("SELECT state FROM jobs") == [(order[0][0].value,)]
    assert database.rows("SELECT outcome FROM attempts") == [(order[0][1].value,)]
    check_sound(database)
    database.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_stale_one_does_not_touch_the_next_attempt(tmp_path: Path, way: str) -> None:
    database = Database(str(tmp_path / "queue.db"), synchronous="off")
    worker = add_worker(database)
    add(database)
    with database.write():
        (first,) = claims.claim(database, worker, None, [0], NOW)
        claims.finish(database, worker, [ending(first, *RESCUE, run_at=NOW)])
        (second,) = claims.claim(database, worker, None, [0], NOW)
        late = ending(first, *WAYS[way], run_at=NOW)
        assert claims.finish(database, worker, [late]) == [late]
        assert claims.finish(database, worker, [ending(second, State.COMPLETED, Outcome.COMPLETED)]) == []
    assert database.rows("SELECT number, outcome FROM attempts") == [(1, "crashed"), (2, "completed")]
    check_sound(database)
    database.close()
