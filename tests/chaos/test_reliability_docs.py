"""docs/reliability.md says what its record says, and names tests that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from reliability import DOCS, page_with

PAGE = (DOCS / "reliability.md").read_text()
TESTS = sorted(set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", PAGE)))


def records() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = json.loads((DOCS / "reliability.json").read_text())
    return found


def test_the_table_is_made_from_the_record() -> None:
    assert page_with(PAGE, records()) == PAGE


@pytest.mark.parametrize("mode", ["mixed", "kills"])
def test_nothing_was_found_in_the_recorded_runs(mode: str) -> None:
    record = records()[mode]
    assert {kind: record[kind] for kind in ("lost", "doubled", "overlapped", "left_over", "wrong")} == {
        "lost": 0,
        "doubled": 0,
        "overlapped": 0,
        "left_over": 0,
        "wrong": 0,
    }


def test_the_kills_were_of_ten_thousand_jobs() -> None:
    assert records()["kills"]["jobs"] >= 10_000


def test_every_item_has_a_test() -> None:
    items = [line for line in PAGE.splitlines() if re.match(r"\d+\. ", line)]
    assert [int(line.partition(".")[0]) for line in items] == list(range(1, 14))
    assert all("::" in line or "not yet" in line.lower() for line in items)


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_the_tests_that_it_names_exist(file: str, name: str) -> None:
    text = (Path(DOCS).parent / file).read_text()
    assert re.search(rf"^(def {name}\(|{name} = )", text, re.MULTILINE)
