"""Claims: the order, the fence, and any number of queues."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_file import NOW, add, add_worker, check_counts, ending, new_job

from queuectl.domain.states import Outcome, State
from queuectl.storage import changes, claims
from queuectl.storage.claims import Claim, Process, Usage
from queuectl.storage.database import Database


def claim(
    database: Database, worker: int, slots: int = 1, queues: tuple[str, ...] | None = None, now: int = NOW
) -> list[Claim]:
    with database.write():
        return claims.claim(database, worker, queues, range(slots), now)


def finish(database: Database, worker: int, *endings: claims.Ending) -> list[claims.Ending]:
    with database.write():
        return claims.finish(database, worker, endings)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-2, 2), st.sampled_from([None, NOW - 5, NOW - 9])),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
    st.sampled_from([None, ("a",), ("a", "c"), ("b", "nothing")]),
)
def test_the_best_of_all_queues_come_first(
    tmp_path_factory: pytest.TempPathFactory,
    jobs: list[tuple[str, int, int | None]],
    slots: int,
    queues: tuple[str, ...] | None,
) -> None:
    database = Database(str(tmp_path_factory.mktemp("order") / "queue.db"), synchronous="normal")
    try:
        worker = add_worker(database)
        listed = [new_job(f"j{n:02}", queue=q, priority=p, run_at=at) for n, (q, p, at) in enumerate(jobs)]
        add(database, *listed)
        served = [job for job in listed if queues is None or job.queue in queues]
        served.sort(key=lambda job: (-job.priority, job.run_at or NOW, job.id))
        claimed = claim(database, worker, slots, queues)
        assert [found.id for found in claimed] == [job.id for job in served[:slots]]
        assert [found.slot for found in claimed] == list(range(len(claimed)))
    finally:
        database.close()


def test_jobs_in_more_queues_than_sqlite_takes_selects_are_claimed(database: Database) -> None:
    worker = add_worker(database)
    add(database, *[new_job(queue=f"customer-{n}", priority=n) for n in range(1200)])
    best = claim(database, worker, 3)
    assert [found.queue for found in best] == ["customer-1199", "customer-1198", "customer-1197"]
    assert claim(database, worker, 1, ("customer-3",))[0].queue == "customer-3"
    assert len(claim(database, worker, 2000)) == 1196
    check_counts(database)


def test_a_claim_without_slots_or_jobs_takes_nothing(database: Database) -> None:
    worker = add_worker(database)
    assert claim(database, worker) == []
    add(database)
    assert claim(database, worker, 0) == []
    assert claim(database, worker, 1, ()) == []
    assert claim(database, worker, 1, ("other",)) == []
    assert claim(database, worker)[0].attempts == 1


def test_a_scheduled_job_is_claimed_from_its_time_on(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("later", state=State.SCHEDULED, run_at=NOW + 10))
    assert claims.next_due(database) == NOW + 10
    assert not claims.has_ready(database, None, NOW + 9)
    assert claim(database, worker, now=NOW + 9) == []
    assert claims.has_ready(database, None, NOW + 10)
    assert [found.id for found in claim(database, worker, now=NOW + 10)] == ["later"]
    assert claims.next_due(database) is None


def test_a_failed_job_that_ends_for_good_is_due_no_more(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("j"))
    (taken,) = claim(database, worker)
    finish(database, worker, ending(taken, State.FAILED, Outcome.FAILED, NOW, NOW + 50))
    assert claims.next_due(database) == NOW + 50
    assert changes.cancel(database, [taken.job], "r", NOW + 1)
    assert claims.next_due(database) is None


_ENDS = {
    "completes": (State.COMPLETED, Outcome.COMPLETED),
    "fails": (State.FAILED, Outcome.FAILED),
    "dies": (State.DEAD, Outcome.FAILED),
    "releases": (State.PENDING, Outcome.RELEASED),
    "rescues": (State.FAILED, Outcome.CRASHED),
}


@pytest.mark.parametrize(("first", "second"), list(permutations(_ENDS, 2)))
def test_of_two_who_end_a_claim_the_second_changes_nothing(database: Database, first: str, second: str) -> None:
    worker = add_worker(database)
    add(database, new_job("j"))
    (taken,) = claim(database, worker)
    assert finish(database, worker, ending(taken, *_ENDS[first], run_at=NOW + 1)) == []
    before = [database.rows("SELECT * FROM jobs"), database.rows("SELECT * FROM attempts")]
    late = ending(taken, *_ENDS[second], now=NOW + 9, run_at=NOW + 10)
    assert finish(database, worker, late) == [late]
    assert [database.rows("SELECT * FROM jobs"), database.rows("SELECT * FROM attempts")] == before
    check_counts(database)


@pytest.mark.parametrize("end", _ENDS)
def test_a_worker_taken_for_dead_cannot_end_what_another_runs_by_now(database: Database, end: str) -> None:
    stale, fresh = add_worker(database), add_worker(database, "default-1")
    add(database, new_job("j"))
    (old,) = claim(database, stale)
    finish(database, stale, ending(old, State.FAILED, Outcome.CRASHED, run_at=NOW))
    (new,) = claim(database, fresh)
    late = ending(old, *_ENDS[end], run_at=NOW + 1)
    assert finish(database, stale, late) == [late]
    assert finish(database, fresh, late) == [late]  # the right worker with the wrong claim
    mistaken = ending(new, *_ENDS[end], run_at=NOW + 1)
    assert finish(database, stale, mistaken) == [mistaken]  # the right claim with the wrong worker
    assert finish(database, fresh, ending(new, State.COMPLETED, Outcome.COMPLETED)) == []
    outcomes = database.rows("SELECT number, outcome FROM attempts ORDER BY number")
    assert outcomes == [(1, "crashed"), (2, "completed")]


def test_a_refused_ending_doesnt_stop_the_others(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("a"), new_job("b"), new_job("c"))
    a, b, c = claim(database, worker, 3)
    stale = ending(b._replace(number=99), State.COMPLETED, Outcome.COMPLETED)
    good = [ending(taken, State.COMPLETED, Outcome.COMPLETED) for taken in (a, c)]
    assert finish(database, worker, good[0], stale, good[1]) == [stale]
    assert database.rows("SELECT public_id FROM jobs WHERE state = 'completed' ORDER BY id") == [("a",), ("c",)]


@pytest.mark.parametrize("end", _ENDS)
def test_a_job_that_was_to_be_cancelled_is_cancelled_however_it_ends(database: Database, end: str) -> None:
    worker = add_worker(database)
    add(database, new_job("j"))
    (taken,) = claim(database, worker)
    changes.cancel(database, [taken.job], "by hand", NOW)
    assert finish(database, worker, ending(taken, *_ENDS[end], now=NOW + 3, run_at=NOW + 9)) == []
    assert database.rows("SELECT state, finished_at, reason FROM jobs") == [("cancelled", NOW + 3, "by hand")]


def test_a_released_attempt_is_not_counted_but_stays_in_the_log(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("j"))
    for number in (1, 2, 3):
        (taken,) = claim(database, worker)
        assert (taken.number, taken.attempts) == (number, 1)
        finish(database, worker, ending(taken, State.PENDING, Outcome.RELEASED))
    assert database.rows("SELECT attempts, claim_seq, state FROM jobs") == [(0, 3, "pending")]
    assert database.rows("SELECT number, outcome FROM attempts") == [(n, "released") for n in (1, 2, 3)]


def test_the_process_of_an_attempt_is_kept_and_not_written_after_its_end(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("j"))
    (taken,) = claim(database, worker)
    with database.write(synced=False):
        claims.record_started(database, [(taken.job, 1, Process(77, 5, NOW + 1))])
    end = ending(taken, State.COMPLETED, Outcome.COMPLETED)._replace(
        usage=Usage(9, 0.5, 0.25), tail=b"\xff\0", exit_code=0
    )
    finish(database, worker, end)
    with database.write(synced=False):
        claims.record_started(database, [(taken.job, 1, Process(78, 6, NOW + 2))])
    found = database.rows(
        "SELECT pid, proc_starttime, started_at, finished_at, exit_code, max_rss, cpu_user, tail FROM attempts"
    )
    assert found == [(77, 5, NOW + 1, NOW, 0, 9, 0.5, b"\xff\0")]


def test_unfinished_is_what_a_drain_waits_for(database: Database) -> None:
    worker = add_worker(database)
    add(
        database,
        new_job(),
        new_job(queue="q"),
        new_job(state=State.HELD),
        new_job(state=State.SCHEDULED, run_at=NOW + 9),
    )
    assert claims.unfinished(database, None) == 2
    assert claims.unfinished(database, ("q",)) == 1
    assert claims.unfinished(database, ()) == 0
    (first, second) = claim(database, worker, 2)
    assert claims.unfinished(database, None) == 2
    finish(database, worker, ending(first, State.FAILED, Outcome.FAILED, run_at=NOW + 1))
    finish(database, worker, ending(second, State.DEAD, Outcome.FAILED))
    assert claims.unfinished(database, None) == 1
