"""Whatever comes in, a value comes out or the documented error: never a traceback."""

from __future__ import annotations

import pytest
from fuzzing import CASES, mangled, profile, says, texts, values
from hypothesis import given
from hypothesis import strategies as some

from queuectl.cli.reading import batch, parse, shell_lines
from queuectl.cli.selection import read_since, read_states
from queuectl.cli.when import read_at
from queuectl.config.check import check
from queuectl.config.document import parse as parse_yaml
from queuectl.config.keys import listed
from queuectl.domain.clock import parse_time, rfc3339
from queuectl.domain.durations import LONGEST, format_duration, format_size, parse_duration, parse_size
from queuectl.domain.intake import KEYS, defaults, read_job
from queuectl.domain.job import NewJob
from queuectl.domain.settings import Settings
from queuectl.domain.states import State
from queuectl.errors import InvalidJob, UsageError
from queuectl.storage.enqueue import _spec_rows

GIVEN = defaults(Settings(), now=1_800_000_000_000, cwd="/srv")
JOBS = some.dictionaries(some.sampled_from([*KEYS, "command", "argv", "iD", "comand"]) | texts, values, max_size=6)
LINE = some.lists(some.integers(0, 10**6), max_size=4)


@pytest.mark.parametrize("cases", CASES)
def test_json_intake(cases: int) -> None:
    @profile(cases)
    @given(JOBS | values, LINE, some.text(max_size=3))
    def fuzz(document: object, cuts: list[int], junk: str) -> None:
        try:
            raw = parse(mangled(document, cuts, junk), None)
        except InvalidJob as error:
            says(error)
            raw = document
        try:
            job = read_job(raw, GIVEN)
        except InvalidJob as error:
            says(error, code=2)
        else:
            assert isinstance(job, NewJob)
            # What the door lets in, the database can hold.
            for value in next(iter(_spec_rows([job], 1, "me"))):
                assert value is None or isinstance(value, (int, float, str))
                if isinstance(value, str):
                    value.encode()
                if isinstance(value, int):
                    assert -(2**63) <= value < 2**63

    fuzz()


@pytest.mark.parametrize("cases", CASES)
def test_batches_and_lines(cases: int) -> None:
    @profile(cases)
    @given(some.lists(JOBS | values, max_size=4), some.booleans(), LINE, some.text(max_size=3))
    def fuzz(documents: list[object], as_array: bool, cuts: list[int], junk: str) -> None:
        if as_array:
            text = mangled(documents, cuts, junk)
        else:
            text = "\n".join(mangled(each, cuts, junk) for each in documents)
        try:
            entries = list(batch(text, "FILE"))
        except InvalidJob as error:
            says(error)
        else:
            assert all(1 <= entry.line <= text.count("\n") + 1 for entry in entries)
        for entry in shell_lines(text):
            try:
                read_job(entry.raw, GIVEN)
            except InvalidJob as error:
                says(error)

    fuzz()


@pytest.mark.parametrize("cases", CASES)
def test_yaml(cases: int) -> None:
    names = [name.split(".")[0] for name, _ in listed()]
    words = some.sampled_from(
        [*names, "pools", "default", "{", "}", "[", "]", ":", "-", "&a", "*a", "<<", "!!int", "|", ">"]
    )
    pieces = some.lists(
        words | texts | some.sampled_from(["\n", "\n  ", " ", "\t", "#", "---\n", "'", '"']), max_size=20
    )

    @profile(cases)
    @given(pieces.map(" ".join) | pieces.map("".join) | some.binary(max_size=200))
    def fuzz(data: str | bytes) -> None:
        node, problems = parse_yaml(data, "FILE")
        found = check(node, problems)
        assert isinstance(found, dict)
        for problem in problems:
            assert problem.where.startswith("FILE:")
            int(problem.where.rpartition(":")[2])
            str(problem).encode("utf-8", "strict")

    fuzz()


@pytest.mark.parametrize("cases", CASES)
def test_durations_and_sizes(cases: int) -> None:
    @profile(cases)
    @given(texts | values)
    def fuzz(value: object) -> None:
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            says(error, "expected a duration")
        else:
            assert 0 <= seconds <= LONGEST
            assert abs(parse_duration(format_duration(seconds)) - seconds) <= 0.0005 + seconds * 1e-9
        try:
            size = parse_size(value)
        except ValueError as error:
            says(error, "expected a size")
        else:
            assert 0 <= size < 2**63
            assert format_size(size)

    fuzz()


@pytest.mark.parametrize("cases", CASES)
def test_times(cases: int) -> None:
    shaped = some.datetimes().map(str) | some.datetimes(timezones=some.timezones()).map(lambda at: at.isoformat())
    clock = some.from_regex(r"(tomorrow )?[0-9]{1,2}:[0-9]{2}", fullmatch=True)

    @profile(cases)
    @given(texts | shaped | clock)
    def fuzz(text: str) -> None:
        try:
            ms = parse_time(text)
        except ValueError as error:
            says(error, "expected a time")
        else:
            assert parse_time(rfc3339(ms)) == ms
        for read in (read_at, read_since):
            try:
                read(text)
            except UsageError as error:
                says(error)

    fuzz()


@pytest.mark.parametrize("cases", CASES)
def test_states(cases: int) -> None:
    names = some.sampled_from([state.value for state in State])

    @profile(cases)
    @given(some.lists(texts | names | some.lists(names).map(",".join), max_size=4))
    def fuzz(words: list[str]) -> None:
        try:
            found = read_states(words)
        except UsageError as error:
            says(error)
        else:
            assert all(isinstance(state, State) for state in found)

    fuzz()
