"""The door: whatever comes, a job comes out, or an InvalidJob that names the key."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queuectl.domain.intake import KEYS, MAX_COMMAND, MAX_STDIN, NOT_BUILT, Defaults, defaults, generate_id, read_job
from queuectl.domain.job import NewJob, Spec
from queuectl.domain.settings import Settings
from queuectl.domain.states import State
from queuectl.errors import InvalidJob

NOW = 1_800_000_000_000
GIVEN = defaults(Settings(), now=NOW, cwd="/srv/app")


def read(**keys: object) -> NewJob:
    return read_job({"command": "true", **keys}, GIVEN)


GOOD: list[tuple[str, object, object]] = [
    ("id", "a", "a"),
    ("id", "Ab-c_d.9", "Ab-c_d.9"),
    ("id", "x" * 100, "x" * 100),
    ("id", "..a", "..a"),
    ("queue", "video", "video"),
    ("priority", -(2**31), -(2**31)),
    ("priority", 2**31 - 1, 2**31 - 1),
    ("max_retries", 0, 0),
    ("max_retries", 10_000, 10_000),
    ("unique_key", "nightly backup ☃", "nightly backup ☃"),
    ("cwd", "sub", "/srv/app/sub"),
    ("cwd", "/abs", "/abs"),
    ("env", {}, {}),
    ("env", {"A": "", "B": "x=y"}, {"A": "", "B": "x=y"}),
    ("env_file", "secrets.env", "/srv/app/secrets.env"),
    ("env_file", "/etc/app/env", "/etc/app/env"),
    ("stdin", "", ""),
    ("stdin", "é" * (MAX_STDIN // 2), "é" * (MAX_STDIN // 2)),
    ("timeout", 0, 0),
    ("timeout", "1h30m", 5_400_000),
    ("timeout", 0.0004, 0),
    ("kill_grace", "250ms", 250),
    ("backoff_base", 1, 1.0),
    ("backoff_base", 1000.0, 1000.0),
    ("backoff_max", "1h", 3_600_000),
    ("backoff_jitter", 0, 0.0),
    ("backoff_jitter", 1, 1.0),
    ("no_retry_exit_codes", [3, 1, 3], (1, 3)),
    ("no_retry_exit_codes", [], ()),
    ("output_limit", "4KiB", 4096),
    ("output_limit", 2**63 - 1, 2**63 - 1),
    ("tags", "one", ("one",)),
    ("tags", ["b", "a", "b"], ("a", "b")),
    ("tags", [], ()),
    ("description", "why", "why"),
    ("delay", "5m", NOW + 300_000),
    ("run_at", "2100-01-01T00:00:00Z", 4_102_444_800_000),
]
_FIELDS = {"timeout": "timeout_ms", "kill_grace": "kill_grace_ms", "backoff_max": "backoff_max_ms", "delay": "run_at"}


@pytest.mark.parametrize(("key", "value", "kept"), GOOD, ids=[f"{key}-{n}" for n, (key, _, _) in enumerate(GOOD)])
def test_a_good_value_is_kept(key: str, value: object, kept: object) -> None:
    job = read(**{key: value})
    field = _FIELDS.get(key, key)
    assert getattr(job.spec if field in Spec._fields else job, field) == kept


BAD: list[tuple[str, object]] = [
    *[("id", wrong) for wrong in ("", ".", "..", "a b", "a/b", "é", "x" * 101, "a\n", "+a", 7, None, ["a"])],
    *[("queue", wrong) for wrong in ("", "a b", "a\n", None, True)],
    *[("priority", wrong) for wrong in (2**31, -(2**31) - 1, 1.0, True, "1", None, math.nan, 10**5000)],
    *[("max_retries", wrong) for wrong in (-1, 10_001, 1.5, False, "3", math.inf)],
    *[("unique_key", wrong) for wrong in ("", "a\0", "\ud800", "k" * 201, "é" * 101, 1)],
    *[("run_at", wrong) for wrong in ("soon", 0, 1e12, None, "1969-12-31", "", True, "\ud800")],
    *[
        ("delay", wrong)
        for wrong in (-1, math.nan, math.inf, True, "x", None, 10**400, 10**5000, "٣s", 101 * 365 * 86400)
    ],
    *[("cwd", wrong) for wrong in ("", "a\0b", "\ud800", "d" * 4096, 3, None)],
    *[("env_file", wrong) for wrong in ("", "a\0b", "\ud800", "d" * 4096, 3, ["a"], None)],
    *[("env", wrong) for wrong in ([], "A=1", {"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": 1}, {"A": None}, {1: "x"})],
    *[("env", wrong) for wrong in ({"A": "\0"}, {"A": "\ud800"}, {"\ud800": "x"}, {"A": "x" * MAX_COMMAND})],
    *[("stdin", wrong) for wrong in ("\0", "\ud800", "x" * (MAX_STDIN + 1), 5, None)],
    *[("timeout", wrong) for wrong in (-1, math.nan, "long", [], 10**400)],
    *[("kill_grace", wrong) for wrong in (-1, None, {})],
    *[("backoff_base", wrong) for wrong in (0, 0.99, 1000.1, math.nan, math.inf, True, "2", 10**5000)],
    *[("backoff_max", wrong) for wrong in (-1, "x", math.inf)],
    *[("backoff_jitter", wrong) for wrong in (-0.1, 1.1, math.nan, True, "0.1")],
    *[("no_retry_exit_codes", wrong) for wrong in (1, "1", [0], [256], [True], [1.0], ["1"], None, {})],
    *[("output_limit", wrong) for wrong in (4095, -1, 2**63, "1KiB", 1e6, math.nan, None, True)],
    *[("tags", wrong) for wrong in ("", [""], ["a\0"], [1], {"a": 1}, ["t"] * 101, "t" * 101, None)],
    *[("description", wrong) for wrong in ("", "d" * 1001, 1, "a\0")],
    *[("command", wrong) for wrong in ("", "  \n", "a\0", "\ud800", "x" * (MAX_COMMAND + 1), 1, None, ["ls"], True)],
]


@pytest.mark.parametrize(("key", "value"), BAD, ids=[f"{key}-{n}" for n, (key, _) in enumerate(BAD)])
def test_a_bad_value_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(InvalidJob) as caught:
        read(**{key: value})
    assert caught.value.key == key
    assert str(caught.value).startswith(f'"{key}": expected ')
    assert ", got " in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "wrong",
    ["ls", [], [""], [1], [None], ["ls", 1], ["ls", "\0"], ["ls", "\ud800"], ["x" * MAX_COMMAND, "y"], {"ls": 1}, None],
)
def test_a_bad_argv_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidJob, match='"argv": expected ') as caught:
        read_job({"argv": wrong}, GIVEN)
    assert caught.value.key == "argv"


def test_every_key_has_good_and_bad_values_in_these_tables() -> None:
    assert {key for key, _, _ in GOOD} | {"command", "argv"} == KEYS
    assert {key for key, _ in BAD} | {"argv"} == KEYS


@pytest.mark.parametrize(
    "raw", [None, 5, 1.5, "ls", [], [{"command": "ls"}], True, math.nan, 10**5000], ids=lambda raw: type(raw).__name__
)
def test_what_is_no_object_is_refused(raw: object) -> None:
    with pytest.raises(InvalidJob, match="expected a JSON object"):
        read_job(raw, GIVEN)


@pytest.mark.parametrize("raw", [{}, {"command": "a", "argv": ["a"]}, {"id": "x"}])
def test_a_job_says_what_to_run_in_one_way(raw: object) -> None:
    with pytest.raises(InvalidJob, match=r'expected "command" .* or "argv"') as caught:
        read_job(raw, GIVEN)
    assert caught.value.hint


def test_an_argv_is_shown_as_its_quoted_join() -> None:
    spec = read_job({"argv": ["echo", "a b", ""]}, GIVEN).spec
    assert (spec.command, spec.argv) == ("echo 'a b' ''", ("echo", "a b", ""))


def test_what_a_job_does_not_say_comes_from_the_settings() -> None:
    chosen = Settings(max_retries=7, worker_timeout=1.5, kill_grace=2, backoff_base=3, backoff_max=4, output_limit=5000)
    job = read_job({"command": "true"}, defaults(chosen, now=NOW, cwd="/w"))
    assert job == NewJob(
        id=None,
        queue="default",
        priority=0,
        max_retries=7,
        state=State.PENDING,
        run_at=None,
        unique_key=None,
        spec=Spec("true", cwd="/w", timeout_ms=1500, kill_grace_ms=2000, backoff_base=3, backoff_max_ms=4000,
                  output_limit=5000),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "held", "state"),
    [
        ({}, False, State.PENDING),
        ({"delay": 0}, False, State.PENDING),
        ({"delay": 1}, False, State.SCHEDULED),
        ({"run_at": "2000-01-01T00:00:00Z"}, False, State.PENDING),
        ({"run_at": "2100-01-01T00:00:00Z"}, False, State.SCHEDULED),
        ({"delay": 1}, True, State.HELD),
        ({}, True, State.HELD),
    ],
)
def test_the_first_state_follows_from_the_time(keys: dict[str, object], held: bool, state: State) -> None:
    given = defaults(Settings(), now=NOW, cwd="/", held=held)
    assert read_job({"command": "true", **keys}, given).state is state


def test_run_at_and_delay_exclude_each_other() -> None:
    with pytest.raises(InvalidJob, match="got both") as caught:
        read(run_at="2100-01-01T00:00:00Z", delay=5)
    assert caught.value.key == "delay"


@pytest.mark.parametrize("key", sorted(NOT_BUILT))
def test_a_key_of_a_feature_not_built_yet_is_refused_as_such(key: str) -> None:
    with pytest.raises(InvalidJob, match=f'"{key}" is not built yet') as caught:
        read(**{key: None})
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("key", "near"), [("comand", "command"), ("max-retries", "max_retries"), ("prioritiy", "priority")]
)
def test_an_unknown_key_gets_the_nearest_name(key: str, near: str) -> None:
    with pytest.raises(InvalidJob, match=f'unknown key "{key}"') as caught:
        read(**{key: 1})
    assert caught.value.hint == f'did you mean "{near}"?'


@pytest.mark.parametrize("key", ["zzzz", "", "Command\n\x1b[2J", "\ud800", "k" * 10**6], ids=len)
def test_an_unlike_key_gets_all_names_in_a_short_line(key: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        read(**{key: 1})
    message = str(caught.value)
    assert message.startswith("unknown key ")
    assert len(message) < 700
    assert message.isascii()
    assert message.isprintable()


@pytest.mark.parametrize("key", [1, None, ("a",), b"command"])
def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(InvalidJob, match="expected texts as keys"):
        read_job({"command": "true", key: 1}, GIVEN)


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("key", sorted(KEYS | {"nothing"}))
def test_nesting_beyond_reason_is_refused(key: str) -> None:
    with pytest.raises(InvalidJob):
        read(**{key: nested(100_000)})
    with pytest.raises(InvalidJob):
        read_job(nested(100_000), GIVEN)


def test_a_working_directory_whose_name_is_no_utf8_is_refused() -> None:
    odd = GIVEN._replace(cwd=b"/srv/caf\xe9".decode("utf-8", "surrogateescape"))
    for keys in ({}, {"cwd": "sub"}):
        with pytest.raises(InvalidJob, match="valid UTF-8") as caught:
            read_job({"command": "true", **keys}, odd)
        assert caught.value.key == "cwd"
    assert read_job({"command": "true", "cwd": "/ok"}, odd).spec.cwd == "/ok"


any_text = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates too
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**4400, 10**4401), st.floats(), any_text, st.just("5m")
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(any_text, inner, max_size=4)),
    max_leaves=8,
)
keys = st.one_of(st.sampled_from(sorted(KEYS)), st.sampled_from(sorted(KEYS | NOT_BUILT)), any_text)


@settings(max_examples=400)
@given(st.one_of(anything, st.dictionaries(keys, anything, max_size=6)), st.booleans())
def test_whatever_comes_a_job_or_an_invalid_job_comes_out(raw: object, with_command: bool) -> None:
    if with_command and isinstance(raw, dict):
        raw = {**raw, "command": "true"}
        raw.pop("argv", None)
    try:
        job = read_job(raw, GIVEN)
    except InvalidJob as error:
        message = str(error)
        assert len(message) < 1500
        assert message.isprintable(), message
        message.encode()
    else:
        assert isinstance(job, NewJob)
        json.dumps(job).encode()


@given(st.dictionaries(keys, anything, max_size=4))
def test_reading_a_job_does_not_change_what_was_given(raw: dict[str, object]) -> None:
    before = dict(raw)
    try:
        read_job(raw, GIVEN)
    except InvalidJob:
        pass
    assert raw.keys() == before.keys()
    assert all(raw[key] is before[key] for key in raw)


def test_made_up_ids_pass_the_door_and_differ() -> None:
    ids = {generate_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(read(id=made).id == made for made in ids)
    assert {len(made) for made in ids} == {8}


def test_defaults_are_a_record() -> None:
    assert isinstance(GIVEN, Defaults)
    assert GIVEN.spec.command == ""
