"""How the parsers are fuzzed: 2,000 cases a run, 200,000 with -m soak."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from queuectl.errors import QueuectlError

CASES = [
    pytest.param(2_000, id="2000"),
    pytest.param(200_000, id="200000", marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
]


def profile(cases: int) -> settings:
    """The settings of a run of so many cases. Without a database: examples of former runs would count."""
    return settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    )


def says(error: Exception, words: str = "", code: int | None = None) -> None:
    """It can be said in a few lines of UTF-8, and holds the words."""
    said = str(error)
    assert said
    assert words in said
    assert len(said) < 10_000
    said.encode("utf-8", "strict")
    assert code is None or (isinstance(error, QueuectlError) and error.exit_code == code)


texts = some.text(max_size=40) | some.text("0123456789.:-+ smhdwTZkiMGBe", max_size=20)
"""Anything, and what looks like numbers, times and sizes."""
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | texts,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def mangled(document: object, cuts: list[int], junk: str) -> str:
    """The JSON of a document, with junk in some places: near to what is right, where parsers have their edges."""
    text = json.dumps(document)
    for cut in cuts:
        at = cut % (len(text) + 1)
        text = text[:at] + junk + text[at + cut % 3 :]
    return text
