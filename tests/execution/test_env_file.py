"""A job's file of variables: what is read of it, and what is said of one that can't be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from queuectl.execution.env_file import LARGEST, read_env_file
from queuectl.execution.spawn import NOT_EXECUTABLE, CannotRun

SECRET = b"hunter2-3b1f"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secrets.env"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", {}),
        (b"# nothing\n\n", {}),
        (b"A=1\nB=2", {b"A": b"1", b"B": b"2"}),
        (b"A=1\r\nB=2\r\n", {b"A": b"1", b"B": b"2"}),
        (b"A=first\nA=last\n", {b"A": b"last"}),
        (b"export A=1\n", {b"A": b"1"}),
        (b"A=\n", {b"A": b""}),
        (b"A='x y'\nB=\"x\\ny\"\n", {b"A": b"x y", b"B": b"x\ny"}),
        (b"A=1 # why\n", {b"A": b"1"}),
        (b"A=pa$HOME`id`$(id)#x\\n=\n", {b"A": b"pa$HOME`id`$(id)#x\\n="}),
        (b"A=\xff\xfe\xe2\x98\x83\n", {b"A": b"\xff\xfe\xe2\x98\x83"}),
    ],
)
def test_variables_are_read(file: Path, text: bytes, found: dict[bytes, bytes]) -> None:
    file.write_bytes(text)
    assert read_env_file(str(file)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"A=1\n" + SECRET, "in line 2"),
        (b"A=1\n\n# why\n\n  A hunter2-3b1f\n", "in line 5"),
        (b"A='hunter2-3b1f\nB=2\n", "in line 1"),
        (b"=hunter2-3b1f\n", "in line 1"),
        (b"A=hunter2-3b1f\0\n", "expected a text without NUL"),
        (b"A=" + b"x" * LARGEST, f"expected at most {LARGEST} bytes"),
    ],
)
def test_one_that_cannot_be_read_is_refused_whole_and_not_repeated(file: Path, text: bytes, said: str) -> None:
    file.write_bytes(text)
    with pytest.raises(CannotRun) as caught:
        read_env_file(str(file))
    assert caught.value.exit_code == NOT_EXECUTABLE
    assert str(caught.value).startswith(f"{file}: the file of variables: expected ")
    assert said in str(caught.value)
    assert SECRET.decode() not in str(caught.value)


def test_what_is_no_file_blocks_nobody(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(CannotRun, match="expected a regular file"):
        read_env_file(str(file))
    with pytest.raises(CannotRun, match="expected a regular file"):
        read_env_file("/dev/zero")
    with pytest.raises(CannotRun, match="Is a directory"):
        read_env_file(str(file.parent))
    with pytest.raises(CannotRun, match="No such file or directory"):
        read_env_file(f"{file}.not-there")
