from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from queuectl.services import tail


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("", 3, []),
        ("a\n", 3, ["a"]),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb", 2, ["a", "b"]),
        ("a\n\n", 2, ["a", ""]),
        ("a\nb\n", 0, []),
        ("x\n" * 100_000 + "y\n", 2, ["x", "y"]),
    ],
)
def test_last_lines(tmp_path: Path, text: str, count: int, expected: list[str]) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    assert tail.last_lines(str(path), count) == expected


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert tail.last_lines(str(tmp_path / "log"), 3) == []


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\n")
    assert tail.last_lines(str(tmp_path / "log"), 1) == ["\ufffd"]


def test_following_goes_on_after_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "POLL", 0.001)
    path = tmp_path / "log"
    path.write_text("1\n2\n3\n")
    lines = tail.follow(str(path), 2)
    assert list(islice(lines, 2)) == ["2", "3"]
    with path.open("a") as file:
        file.write("4\n5")
    assert next(lines) == "4"
    with path.open("a") as file:
        file.write("x\n")
    assert next(lines) == "5x"
    os.rename(path, tmp_path / "log.1")
    path.write_text("6\n7\n")
    assert list(islice(lines, 2)) == ["6", "7"]
