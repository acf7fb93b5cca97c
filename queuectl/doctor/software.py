"""The versions of what runs here."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from queuectl import __version__
from queuectl.domain.findings import Finding, error, ok
from queuectl.storage.integrity import library_finding

_OLDEST_PYTHON = (3, 10)
_OLDEST = {"supervisor": (4, 3), "peewee": (4, 5)}
_NUMBER = re.compile(r"\d+")


def examine() -> Iterator[Finding]:
    """Python, queuectl, the libraries that it stands or falls with, SQLite."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < _OLDEST_PYTHON:
        yield error("python", sys.executable, f"expected 3.10 or later, got {python}")
    else:
        yield ok("python", sys.executable, python)
    yield ok("queuectl", sys.argv[0], __version__)
    for name, oldest in _OLDEST.items():
        yield _package(name, oldest)
    yield library_finding()


def _package(name: str, oldest: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, oldest))
    mend = f"{sys.executable} -m pip install '{name}>={wanted}'"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return error(name, sys.prefix, f"expected {wanted} or later, and it isn't installed", mend)
    if tuple(map(int, _NUMBER.findall(found)[: len(oldest)])) < oldest:
        return error(name, sys.prefix, f"expected {wanted} or later, got {found}", mend)
    return ok(name, sys.prefix, found)
