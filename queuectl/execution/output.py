"""What an attempt prints: straight into a file of its own, bounded by leaving the middle out.

The worker copies nothing, so the output survives it, and a job's speed is the file's.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from queuectl.domain.job import MAX_TAIL
from queuectl.execution.libc import punch_hole
from queuectl.execution.place import output_path

_BLOCK = 4096
_COPIED_AT_ONCE = 2**20
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Written(NamedTuple):
    """What became of an output."""

    size: int
    """Bytes that the command wrote, those left out included."""
    tail: bytes
    """The last of them, at most MAX_TAIL."""


class Output:
    """The open file of a running attempt."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._kept_from = 0

    @classmethod
    def create(cls, outputs: str, job_id: str, number: int) -> Output:
        """Make the file, or empty it. Raises OSError."""
        path = output_path(outputs, job_id, number)
        try:
            return cls(os.open(path, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600))
        except FileNotFoundError:
            os.mkdir(os.path.dirname(path), 0o700)
            return cls(os.open(path, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600))

    def write(self, text: str) -> None:
        """Say something in the command's place."""
        os.write(self.fd, text.encode(errors="replace"))

    def trim(self, limit: int) -> None:
        """Give the blocks of the middle back where the file is longer than `limit` bytes: half of it stays as the
        head, half as the tail. Done again and again while the command writes."""
        size = os.fstat(self.fd).st_size
        if size <= limit:
            return
        # Holes are made of whole blocks: keep the one that the head ends in, and the one that the tail begins in.
        head = (limit // 2 + _BLOCK - 1) // _BLOCK * _BLOCK
        tail = (size - limit // 2) // _BLOCK * _BLOCK
        start = max(head, self._kept_from)
        if tail > start:
            try:
                punch_hole(self.fd, start, tail - start)
            except OSError:
                return  # a file system without holes: `close` cuts it once the command has ended
            self._kept_from = tail

    def close(self, limit: int) -> Written:
        """Cut the file to about `limit` bytes and close it; nothing may write to it any more."""
        try:
            size = os.fstat(self.fd).st_size
            if size == 0:
                return Written(0, b"")
            tail = os.pread(self.fd, MAX_TAIL, max(0, size - MAX_TAIL))
            if size - limit >= _BLOCK:  # the line that says so takes room too
                self._cut(size, limit)
            return Written(size, tail)
        finally:
            os.close(self.fd)

    def _cut(self, size: int, limit: int) -> None:
        """Move the tail up to the head, with a line between that says how much is missing: a file for `less`, not
        one of zeros."""
        head, source = limit // 2, size - limit // 2
        note = f"\n[queuectl: {source - head} bytes left out here: the output is longer than output_limit]\n"
        # O_APPEND would send every write to the end, wherever it is asked to go.
        fd = os.open(f"/proc/self/fd/{self.fd}", os.O_RDWR | os.O_CLOEXEC)
        try:
            place = head + os.pwrite(fd, note.encode(), head)
            while chunk := os.pread(fd, _COPIED_AT_ONCE, source):
                place += os.pwrite(fd, chunk, place)
                source += len(chunk)
            os.ftruncate(fd, place)
        finally:
            os.close(fd)


def salvage(outputs: str, job_id: str, number: int, limit: int) -> Written:
    """What an attempt whose worker is gone had written; its file is cut as `Output.close` would have."""
    try:
        fd = os.open(output_path(outputs, job_id, number), _FLAGS)
    except OSError:
        return Written(0, b"")
    return Output(fd).close(limit)
