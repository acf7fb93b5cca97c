"""The table of transitions, by itself."""

from __future__ import annotations

import ast
import inspect

from queuectl.domain import states
from queuectl.domain.retry import state_after
from queuectl.domain.states import ENDED, INITIAL, TRANSITIONS, Outcome, State, sources


def test_every_state_can_be_reached() -> None:
    reached = set(INITIAL)
    while True:
        further = {after for ways in TRANSITIONS.values() for before, after in ways if before in reached} - reached
        if not further:
            break
        reached |= further
    assert reached == set(State)


def test_every_state_can_be_left() -> None:
    assert {before for ways in TRANSITIONS.values() for before, _ in ways} == set(State)


def test_only_a_retry_leaves_an_ended_state() -> None:
    assert [verb for verb in TRANSITIONS if sources(verb) & ENDED] == ["retry"]
    assert sources("retry") == ENDED


def test_only_a_claim_makes_a_job_run() -> None:
    assert [verb for verb, ways in TRANSITIONS.items() if State.PROCESSING in {after for _, after in ways}] == ["claim"]


def test_enqueue_writes_no_state_that_a_worker_makes() -> None:
    assert {State.PENDING, State.SCHEDULED, State.BLOCKED, State.HELD} == INITIAL
    assert not INITIAL & ENDED


def test_no_verb_leaves_a_job_where_it_is() -> None:
    assert not [(verb, way) for verb, ways in TRANSITIONS.items() for way in ways if way[0] is way[1]]


def test_sources_are_the_left_sides_of_the_table() -> None:
    for verb, ways in TRANSITIONS.items():
        assert sources(verb) == {before for before, _ in ways}


def test_what_an_outcome_makes_of_a_job_is_in_the_table() -> None:
    for outcome in Outcome:
        for attempts, final in ((1, False), (9, False), (1, True)):
            verb = "release" if outcome is Outcome.RELEASED else "finish"
            assert (State.PROCESSING, state_after(outcome, attempts, 3, final)) in TRANSITIONS[verb]


def test_a_state_is_written_as_its_value() -> None:
    assert [f"{state}" for state in State] == [state.value for state in State]


def test_the_module_imports_nothing_of_queuectl() -> None:
    tree = ast.parse(inspect.getsource(states))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "enum"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
