"""Times: one written form, and reading it back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.domain.clock import now_ms, parse_time, rfc3339

_FAR = 253_402_300_799_999


@given(st.integers(0, _FAR))
def test_a_written_time_is_read_as_the_same(ms: int) -> None:
    assert parse_time(rfc3339(ms)) == ms


@given(st.integers(0, _FAR), st.integers(0, _FAR))
def test_written_times_sort_as_times_do(one: int, other: int) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-24T06:45:00Z", "2026-11-24T06:45:00.000Z"),
        ("2026-11-24T06:45:00z", "2026-11-24T06:45:00.000Z"),
        ("2026-11-24 06:45:00+00:00", "2026-11-24T06:45:00.000Z"),
        ("2026-11-24T06:45:00+05:30", "2026-11-24T01:15:00.000Z"),
        (" 2026-11-24T06:45:00.123Z ", "2026-11-24T06:45:00.123Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_with_a_zone_is_read(text: str, written: str) -> None:
    assert rfc3339(parse_time(text)) == written


def test_a_time_without_a_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours east
    time.tzset()
    try:
        assert rfc3339(parse_time("2026-11-24 06:45")) == "2026-11-24T04:45:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "now",
        "12:30",
        "24.11.2026",
        "2026-13-01",
        "2026-02-30T00:00Z",
        "2026-11-24T25:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00",
        "9999-12-31T23:59:59.9999Z",
        "10000-01-01",
        "２０２６-11-24",
        "Z",
        "\ud800",
        "\0",
        "9" * 5000,
        "2026-11-24T06:45:00ZZ",
        "2026-11-24T06:45:00+00:00Z",
    ],
)
def test_a_wrong_time_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected a time like 2026-11-24T06:45:00Z"):
        parse_time(wrong)


@given(st.text())
def test_any_text_is_a_time_in_range_or_refused(text: str) -> None:
    try:
        ms = parse_time(text)
    except ValueError:
        return
    assert 0 <= ms <= _FAR


def test_now_is_the_clock_in_milliseconds() -> None:
    before = time.time()
    assert before * 1000 - 1 <= now_ms() <= time.time() * 1000
