"""The SQL makes the transitions of the table, all of them and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest
from queue_file import NOW, add, add_worker, check_counts, new_job

from queuectl.domain.job import Spec
from queuectl.domain.states import TRANSITIONS, Outcome, State
from queuectl.storage import changes, claims
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.database import Database

_NOT_BUILT = {"unblock"}
"""Verbs that wait for dependencies."""


class Bench:
    """One job that can be put into any state, and a statement run on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.worker = add_worker(database)
        add(database, new_job("j"))
        self.row = database.rows("SELECT id FROM jobs")[0][0]

    def put(self, state: State, run_at: int, asked: bool) -> None:
        running = state is State.PROCESSING
        with self.database.write():
            self.database.change("DELETE FROM attempts")
            self.database.change(
                "UPDATE jobs SET state = ?, run_at = ?, cancel_requested_at = ?, worker_id = ?, "
                "claim_seq = 7, attempts = 2",
                (state.value, run_at, NOW if asked else None, self.worker if running else None),
            )

    def claim(self) -> Claim:
        return Claim(self.row, "j", "default", 7, 2, 3, 0, Spec("true"))

    def finish(self, state: State, outcome: Outcome) -> None:
        with self.database.write():
            claims.finish(self.database, self.worker, [Ending(self.row, "j", 7, state, outcome, NOW, NOW + 1)])

    def state(self) -> State:
        return State(self.database.rows("SELECT state FROM jobs")[0][0])


def _promote(bench: Bench) -> None:
    with bench.database.write():
        claims.claim(bench.database, bench.worker, (), [0], NOW)


def _claim(bench: Bench) -> None:
    # What is due is promoted on the way: this is the claim of what isn't.
    bench.database.change("UPDATE jobs SET run_at = ?", (NOW + 1,))
    with bench.database.write():
        claims.claim(bench.database, bench.worker, None, [0], NOW)


def _finish(state: State) -> Callable[[Bench], None]:
    return lambda bench: bench.finish(state, Outcome.FAILED)


VERBS: dict[str, list[Callable[[Bench], object]]] = {
    "promote": [_promote],
    "claim": [_claim],
    "finish": [_finish(state) for state in (State.COMPLETED, State.FAILED, State.DEAD, State.CANCELLED)],
    "release": [lambda bench: bench.finish(State.PENDING, Outcome.RELEASED)],
    "cancel": [lambda bench: changes.cancel(bench.database, [bench.row], "r", NOW)],
    "hold": [lambda bench: changes.hold(bench.database, [bench.row], "r", NOW)],
    "unhold": [lambda bench: changes.unhold(bench.database, [bench.row], NOW)],
    "retry": [
        lambda bench: changes.retry(bench.database, [bench.row], NOW),
        lambda bench: changes.retry(bench.database, [bench.row], NOW, keep_attempts=True),
    ],
}


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    return Bench(database)


def test_every_verb_of_the_table_is_tried() -> None:
    assert VERBS.keys() | _NOT_BUILT == TRANSITIONS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_makes_its_transitions_and_no_other(bench: Bench, verb: str) -> None:
    seen = set()
    for before, run_at, asked, statement in product(State, (NOW - 1, NOW + 1), (False, True), VERBS[verb]):
        if asked and before is not State.PROCESSING:
            continue  # only what runs can be asked to end
        bench.put(before, run_at, asked)
        statement(bench)
        after = bench.state()
        if after is not before:
            seen.add((before, after))
        check_counts(bench.database)
    # Nothing blocks a job yet.
    assert seen == {way for way in TRANSITIONS[verb] if way[1] is not State.BLOCKED}


def test_removing_takes_everything_but_what_runs(bench: Bench) -> None:
    for state in State:
        bench.put(state, NOW, False)
        gone = changes.remove(bench.database, [bench.row], NOW)
        assert gone == ([] if state is State.PROCESSING else ["j"])
        if gone:
            assert bench.database.rows("SELECT count(*) FROM job_specs") == [(0,)]
            add(bench.database, new_job("j"))
            bench.row = bench.database.rows("SELECT id FROM jobs")[0][0]


def test_cancelling_what_runs_only_asks_and_only_once(bench: Bench) -> None:
    bench.put(State.PROCESSING, NOW, False)
    assert changes.cancel(bench.database, [bench.row], "first", NOW + 5)
    assert not changes.cancel(bench.database, [bench.row], "second", NOW + 6)
    assert bench.database.rows("SELECT state, cancel_requested_at, reason FROM jobs") == [
        ("processing", NOW + 5, "first")
    ]
    assert claims.cancel_requests(bench.database, bench.worker) == [(bench.row, 7)]
    assert claims.cancel_requests(bench.database, bench.worker + 1) == []


@pytest.mark.parametrize(("attempts", "max_retries", "kept"), [(4, 3, 4), (1, 3, 3), (0, 0, 0), (1, 0, 1), (9, 3, 9)])
def test_keeping_the_attempts_gives_exactly_one_more_execution(
    bench: Bench, attempts: int, max_retries: int, kept: int
) -> None:
    bench.put(State.DEAD, NOW, False)
    bench.database.change("UPDATE jobs SET attempts = ?, max_retries = ?", (attempts, max_retries))
    assert changes.retry(bench.database, [bench.row], NOW, keep_attempts=True) == ["j"]
    with bench.database.write():
        (claim,) = claims.claim(bench.database, bench.worker, None, [0], NOW)
    assert claim.attempts == kept + 1 > max_retries  # the next failure is the last
    assert claim.number == 8  # goes on counting


def test_a_retry_forgets_how_the_job_ended(bench: Bench) -> None:
    bench.put(State.CANCELLED, NOW, False)
    bench.database.change("UPDATE jobs SET cancel_requested_at = 1, finished_at = 2, reason = 'x'")
    changes.retry(bench.database, [bench.row], NOW)
    assert bench.database.rows("SELECT attempts, run_at, reason, cancel_requested_at, finished_at FROM jobs") == [
        (0, NOW, None, None, None)
    ]
