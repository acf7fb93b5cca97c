"""What an attempt prints: straight into a file, bounded by leaving the middle out.

The worker copies nothing, so the output survives it, and a job's speed is the file's. An attempt begins in its
slot's spool, a file that is used again and again: to make a directory and a file costs as much as to start a shell.
What is still short at its end is kept in the database alone; what is longer, or takes longer, is moved to its place.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from queuectl.domain.job import MAX_TAIL
from queuectl.execution.libc import punch_hole
from queuectl.execution.place import make_directory, mode_in, output_path, spool_directory, spool_path

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
    """The open file of a slot, and of the attempt that runs in it."""

    def __init__(self, fd: int, spool: str, place: str | None = None) -> None:
        """`place` is where the file has been moved to already."""
        self.fd = fd
        self._spool = spool
        self._place = place
        self._kept_from = 0

    @classmethod
    def inherited(cls, fd: int, outputs: str, worker_uuid: str, slot: int, place: str | None) -> Output:
        """The file of an attempt that goes on over an exec."""
        return cls(fd, spool_path(outputs, worker_uuid, slot), place)

    @classmethod
    def create(cls, outputs: str, worker_uuid: str, slot: int) -> Output:
        """An empty spool for the slot. Raises OSError."""
        path = spool_path(outputs, worker_uuid, slot)
        try:
            fd = os.open(path, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600)
        except FileNotFoundError:
            make_directory(spool_directory(outputs, worker_uuid))
            fd = os.open(path, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600)
        mode = mode_in(spool_directory(outputs, worker_uuid))
        if mode != 0o600:  # whatever the umask
            os.fchmod(fd, mode)
        return cls(fd, path)

    def move_to(self, place: str) -> None:
        """Give the file its place, where people look for it; the command goes on writing. Raises OSError."""
        if self._place is None:
            try:
                os.rename(self._spool, place)
            except FileNotFoundError:
                make_directory(os.path.dirname(place))
                os.rename(self._spool, place)
            self._place = place

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
                return  # a file system without holes: `finish` cuts it once the command has ended
            self._kept_from = tail

    def finish(self, place: str, limit: int) -> Written:
        """Take in what was written, now that nothing writes any more; a long one is moved to `place` and cut to
        about `limit` bytes. Raises OSError."""
        size = os.fstat(self.fd).st_size
        if size == 0 and self._place is None:
            return Written(0, b"")
        tail = os.pread(self.fd, MAX_TAIL, max(0, size - MAX_TAIL))
        if size <= MAX_TAIL and self._place is None:
            os.ftruncate(self.fd, 0)
            return Written(size, tail)
        self.move_to(place)
        if size - limit >= _BLOCK:  # the line that says so takes room too
            self._cut(size, limit)
        return Written(size, tail)

    @property
    def placed(self) -> bool:
        """Whether it was moved to its place; if not, the next attempt of the slot can write to it."""
        return self._place is not None

    def close(self) -> None:
        """Close it; what is in it stays."""
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


def salvage(outputs: str, job_id: str, number: int, worker_uuid: str, slot: int, limit: int) -> Written:
    """What an attempt whose worker is gone had written; treated as `Output.finish` would have."""
    place = output_path(outputs, job_id, number)
    spool = spool_path(outputs, worker_uuid, slot)
    for path, moved in ((place, place), (spool, None)):
        try:
            output = Output(os.open(path, _FLAGS), spool, moved)
        except OSError:
            continue
        try:
            return output.finish(place, limit)
        except OSError:
            break
        finally:
            output.close()
    return Written(0, b"")
