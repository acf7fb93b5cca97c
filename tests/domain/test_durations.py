"""Durations and sizes: what is read, what is refused, and that what is shown can be read again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.domain.durations import LONGEST, format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90.0),
        (1.5, 1.5),
        (0, 0.0),
        ("90", 90.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("250ms", 0.25),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("2D", 172_800.0),
        ("1w", 604_800.0),
        (" 5m ", 300.0),
        (LONGEST, LONGEST),
    ],
)
def test_a_duration_is_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        True,
        False,
        math.nan,
        math.inf,
        -math.inf,
        -1,
        -0.001,
        LONGEST + 1,
        10**400,
        -(10**400),
        "",
        " ",
        "s",
        "-5",
        "+5",
        "1e3",
        "nan",
        "inf",
        "1h 30m",
        "1.h",
        ".5s",
        "5x",
        "5s5",
        "5 s",
        "0x10",
        "1_000",
        "٣",
        "٣s",
        "１h",
        "1²s",
        "5s\n5s",
        "9" * 100,
        "1h" * 50,
        "101000w",
        [],
        {},
        b"5s",
        "\ud800",
        "5\0s",
    ],
)
def test_a_wrong_duration_is_refused_with_what_was_got(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected a duration like 90, 90s, 5m or 1h30m, got "):
        parse_duration(wrong)


@given(st.integers(0, round(LONGEST * 1000)))
def test_a_shown_duration_is_read_as_the_same(millis: int) -> None:
    assert round(parse_duration(format_duration(millis / 1000)) * 1000) == millis


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"\A[0-9.hms]{1,9}\Z")))
def test_whatever_is_read_as_a_duration_is_in_range(value: object) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("10MiB", 10 * 2**20),
        ("10mib", 10 * 2**20),
        ("10 MiB", 10 * 2**20),
        ("10MB", 10**7),
        ("1.5 GB", 1_500_000_000),
        ("1k", 1000),
        ("512B", 512),
        ("2TiB", 2**41),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_a_size_is_read(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        True,
        1.0,
        math.nan,
        math.inf,
        -1,
        2**63,
        10**400,
        "",
        "-1",
        "1e3",
        "MiB",
        "1 PiB",
        "1Mi",
        "٣",
        "４096",
        "9" * 20,
        "9" * 40,
        "10 MiB MiB",
        "1.MiB",
        "\ud800",
        [],
        {},
    ],
)
def test_a_wrong_size_is_refused_with_what_was_got(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected a size like 4096, 64KiB or 10MiB, got "):
        parse_size(wrong)


@given(st.integers(0, 2**53))
def test_a_shown_size_is_read_as_nearly_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.05)


@given(st.integers(0, 2**53))
def test_a_size_in_bytes_is_read_exactly(size: int) -> None:
    assert parse_size(str(size)) == parse_size(size) == size
