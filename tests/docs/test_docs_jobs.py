"""docs/jobs.md says what the door takes and what the states allow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from queuectl.domain.intake import KEYS, NOT_BUILT, defaults, read_job
from queuectl.domain.settings import Settings
from queuectl.domain.states import INITIAL, TRANSITIONS, Outcome, State

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
GIVEN = defaults(Settings(), now=0, cwd="/")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in it whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


ROWS = {row[0].strip("`"): row for row in rows(section("Keys"))}


def test_the_table_has_every_key_and_no_other() -> None:
    assert ROWS.keys() == KEYS


@pytest.mark.parametrize("key", sorted(KEYS))
def test_the_example_of_a_key_passes_the_door(key: str) -> None:
    example = json.loads(ROWS[key][-1].strip("`"))
    assert example.keys() == {key}
    read_job({"command": "true", **example} if key not in ("command", "argv") else example, GIVEN)


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if re.fullmatch(r"`\w+`: \S+", row[3])])
def test_a_default_that_is_a_setting_is_that_settings(key: str) -> None:
    setting, _, value = ROWS[key][3].replace("`", "").partition(": ")
    said = read_job({"command": "true", key: int(value) if value.isdigit() else value_of(value)}, GIVEN)
    assert setting in Settings._fields
    assert said == read_job({"command": "true"}, GIVEN)


def value_of(text: str) -> object:
    return float(text) if re.fullmatch(r"[\d.]+", text) else text


def test_keys_that_are_not_built_are_named() -> None:
    named = re.search(r"lacks \(([^)]*)\)", section("Keys"))
    assert named
    assert set(re.findall(r"\w+", named[1])) == NOT_BUILT


def test_the_diagram_is_the_table_of_transitions() -> None:
    drawn = re.findall(r"^ +(\S+) --> (\S+): (\w+)$", section("States"), re.MULTILINE)
    assert len(drawn) == len(set(drawn))
    assert {to for start, to, verb in drawn if (start, verb) == ("[*]", "enqueue")} == {str(s) for s in INITIAL}
    assert {(verb, start, to) for start, to, verb in drawn if start != "[*]"} == {
        (verb, str(start), str(to)) for verb, moves in TRANSITIONS.items() for start, to in moves
    }


def test_every_state_is_explained() -> None:
    assert [row[0].strip("`") for row in rows(section("States"))] == [str(state) for state in State]


def test_who_moves_a_job_is_told_of_every_verb() -> None:
    told = re.findall(r"^\| (\w+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", section("States"), re.MULTILINE)
    assert {verb: (set(start.split(", ")), set(to.split(", "))) for verb, start, to in told} == {
        verb: ({str(start) for start, _ in moves}, {str(to) for _, to in moves}) for verb, moves in TRANSITIONS.items()
    }


def test_every_outcome_is_named() -> None:
    named = re.search(r"an outcome \(([^)]*)\)", section("Exit codes and what is on record").replace("\n", " "))
    assert named
    assert set(re.findall(r"\w+", named[1])) == {str(outcome) for outcome in Outcome}
