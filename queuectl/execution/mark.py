"""The mark of an attempt: how its processes are known, whatever they do.

Two things that processes hand down to all that they start. The one is an environment variable, which `env -i` wipes.
The other is a limit that nobody uses: RLIMIT_RTTIME, the processor time of real-time processes in microseconds.
Its soft value is a 62-bit number that is the attempt's own, in effect "a hundred thousand years": it survives fork,
exec, setsid, a double fork and a wiped environment, anyone may read it, and reading it costs a microsecond
(a fifteenth of reading an environment). And a child has it from its first instant, where between vfork and exec
it shows its parent's environment.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

VARIABLE = "QUEUECTL_RUN"
_SMALLEST = 2**62


class Mark(NamedTuple):
    """The attempt's name in the environment, and its number in the limits."""

    text: str
    number: int


def mark_of(worker_uuid: str, job: int, attempt: int) -> Mark:
    """The mark of an attempt, made of its names alone, so that whoever recovers it can tell."""
    text = f"{worker_uuid}:{job}:{attempt}"
    digest = blake2b(text.encode(), digest_size=8).digest()
    return Mark(text, _SMALLEST | (int.from_bytes(digest, "big") >> 3))


@contextmanager
def branded(mark: Mark) -> Iterator[None]:
    """What is spawned within carries the mark's number. Does nothing where a hard limit forbids it."""
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    if before[1] != resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark.number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, before)


def carries(pid: int, mark: Mark) -> bool:
    """Whether the process has the mark; False too where it is gone."""
    try:
        if _number_of(pid) == mark.number:
            return True
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            return f"\0{VARIABLE}={mark.text}\0".encode() in b"\0" + file.read(2**21)
    except OSError:
        return False


def is_marked(pid: int) -> bool:
    """Whether the process belongs to some attempt, by its limit. Raises OSError where it is gone."""
    return _number_of(pid) >= _SMALLEST


def _number_of(pid: int) -> int:
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except PermissionError:
        # Another user's process, such as one behind sudo: this file is for everybody to read.
        with open(f"/proc/{pid}/limits", "rb", buffering=0) as file:
            for line in file.read().splitlines():
                if line.startswith(b"Max realtime timeout"):
                    value = line.split()[3]
                    return int(value) if value.isdigit() else -1
    return -1
