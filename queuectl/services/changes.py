"""What is to be written, against what is there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from queuectl.errors import ServiceError


class Change(NamedTuple):
    """A file that isn't as it should be."""

    path: str
    before: str | None
    """What it holds; None if there is none."""
    after: str | None
    """What it should hold; None if it should go."""


def changes(files: Mapping[str, str], installed: Iterable[str]) -> list[Change]:
    """What must change on the disk so that there are `files`, and no more those of `installed` that aren't among them.

    Raises:
        ServiceError: one that is there can't be read.
    """
    found = []
    for path in sorted({*files, *installed}):
        change = Change(path, read(path), files.get(path))
        if change.before != change.after:
            found.append(change)
    return found


def read(path: str) -> str | None:
    """What the file at `path` holds; None if there is none.

    Raises:
        ServiceError: it can't be read.
    """
    try:
        # Without translation of newlines: a \r\n that somebody's editor made is a difference.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ServiceError(f"{path}: can't be read: {(error.strerror or str(error)).lower()}") from error


def unified(change: Change) -> str:
    """The change as a unified diff."""
    before = (change.before or "").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    source = "/dev/null" if change.before is None else change.path
    target = "/dev/null" if change.after is None else change.path
    lines = difflib.unified_diff(before, after, source, target)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
