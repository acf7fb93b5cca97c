"""Every test that docs/guarantees.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_named_test_is_there(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_every_promise_names_tests_and_gaps() -> None:
    for promise in PAGE.split("\n## ")[1:]:
        assert re.search(r"`tests/[\w/]+\.py::test_", promise), promise.splitlines()[0]
        assert "\nGaps:\n" in promise, promise.splitlines()[0]
