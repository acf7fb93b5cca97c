"""What each parser must hold for whatever comes in: a value comes out, or the documented error; never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryFile
from typing import NamedTuple

from fuzzing import mangled, says, texts, values
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
from queuectl.execution.env_file import read_env_file
from queuectl.execution.spawn import CannotRun
from queuectl.storage.enqueue import _spec_rows


class Parser(NamedTuple):
    """What a parser must hold, and what it is fed."""

    holds: Callable[..., None]
    food: tuple[some.SearchStrategy[object], ...]

    def fed(self) -> Callable[[], None]:
        """As a test of hypothesis, a new one each time: settings can be given to one only once."""
        return given(*self.food)(self.holds)


PARSERS: dict[str, Parser] = {}


def fuzzed(*food: some.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put a function among PARSERS, by its name."""

    def register(holds: Callable[..., None]) -> Callable[..., None]:
        PARSERS[holds.__name__] = Parser(holds, food)
        return holds

    return register


GIVEN = defaults(Settings(), now=1_800_000_000_000, cwd="/srv")
JOBS = some.dictionaries(some.sampled_from([*KEYS, "command", "argv", "iD", "comand"]) | texts, values, max_size=6)
LINE = some.lists(some.integers(0, 10**6), max_size=4)


@fuzzed(JOBS | values, LINE, some.text(max_size=3))
def json_intake(document: object, cuts: list[int], junk: str) -> None:
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


@fuzzed(some.lists(JOBS | values, max_size=4), some.booleans(), LINE, some.text(max_size=3))
def batches_and_lines(documents: list[object], as_array: bool, cuts: list[int], junk: str) -> None:
    text = mangled(documents, cuts, junk) if as_array else "\n".join(mangled(each, cuts, junk) for each in documents)
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


NAMES = [name.split(".")[0] for name, _ in listed()]
WORDS = some.sampled_from(
    [*NAMES, "pools", "default", "{", "}", "[", "]", ":", "-", "&a", "*a", "<<", "!!int", "|", ">"]
)
PIECES = some.lists(WORDS | texts | some.sampled_from(["\n", "\n  ", " ", "\t", "#", "---\n", "'", '"']), max_size=20)


@fuzzed(PIECES.map(" ".join) | PIECES.map("".join) | some.binary(max_size=200))
def yaml(data: str | bytes) -> None:
    node, problems = parse_yaml(data, "FILE")
    found = check(node, problems)
    assert isinstance(found, dict)
    for problem in problems:
        assert problem.where.startswith("FILE:")
        int(problem.where.rpartition(":")[2])
        str(problem).encode("utf-8", "strict")


@fuzzed(texts | values)
def durations_and_sizes(value: object) -> None:
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


SHAPED = some.datetimes().map(str) | some.datetimes(timezones=some.timezones()).map(lambda at: at.isoformat())
CLOCK = some.from_regex(r"(tomorrow )?[0-9]{1,2}:[0-9]{2}", fullmatch=True)


@fuzzed(texts | SHAPED | CLOCK)
def times(text: str) -> None:
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


STATES = some.sampled_from([state.value for state in State])


@fuzzed(some.lists(texts | STATES | some.lists(STATES).map(",".join), max_size=4))
def states(words: list[str]) -> None:
    try:
        found = read_states(words)
    except UsageError as error:
        says(error)
    else:
        assert all(isinstance(state, State) for state in found)


@fuzzed(
    some.lists(texts | some.sampled_from(["A", "B", "=", "'", '"', "\\", "#", " ", "\n", "export ", "$"])).map("".join)
    | texts
)
def variables(text: str) -> None:
    with TemporaryFile() as file:
        file.write(text.encode(errors="replace"))
        file.flush()
        try:
            found = read_env_file(f"/proc/self/fd/{file.fileno()}")
        except CannotRun as error:
            says(error, "the file of variables: expected ")
        else:
            assert all(name and b"\0" not in name + value for name, value in found.items())
