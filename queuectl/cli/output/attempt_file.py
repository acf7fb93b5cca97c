"""Reading what an attempt wrote: its file may have a hole in the middle, and may still grow."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

BLOCK = 64 * 1024


class AttemptFile:
    """The file of one execution, read from its start, or from its last lines.

    While the job runs, the middle of a long output is a hole, which reads as zeros: it is jumped over. When the job
    has ended, the tail is moved up to the head, so the file gets shorter: see `drain`.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0
        self._longest = 0
        self.skipped = 0
        """Bytes that were in a hole."""

    @classmethod
    def open(cls, path: str) -> AttemptFile | None:
        """None where there is no such file."""
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None

    def to_last_lines(self, lines: int) -> None:
        """Go on from the last `lines` lines, as far as they are there in one piece."""
        end = position = os.fstat(self._fd).st_size
        if lines == 0:
            self._position = end
            return
        # The newline at the very end ends a line, and begins none.
        left = lines + 1 if end and os.pread(self._fd, 1, end - 1) == b"\n" else lines
        while position > 0:
            start = max(0, position - BLOCK)
            block = os.pread(self._fd, position - start, start)
            found = block.count(b"\n")
            if found >= left:
                at = len(block)
                for _ in range(left):
                    at = block.rindex(b"\n", 0, at)
                self._position = start + at + 1
                return
            if not block.strip(b"\0"):
                break  # a hole: what is before it is the head
            left -= found
            position = start
        self._position = position

    def read(self) -> Iterator[bytes]:
        """What is there and hasn't been read."""
        while not self._was_cut():
            at = self._data_from(self._position)
            if at is None:
                return
            self.skipped += at - self._position
            self._position = at
            block = os.pread(self._fd, BLOCK, at)
            if not block:
                return
            # A read may run from data into a hole.
            block = block[: self._hole_from(at) - at]
            self._position += len(block)
            yield block

    def drain(self, written: int | None) -> Iterator[bytes]:
        """The rest, once nothing is written any more; `written` is how much the job wrote in all."""
        if self._was_cut():
            size = os.fstat(self._fd).st_size
            self._longest = size
            if written is not None and self._position > size // 2:
                # We were beyond the head, and what we haven't read is the end.
                self._position = max(0, size - max(0, written - self._position))
        yield from self.read()

    def close(self) -> None:
        os.close(self._fd)

    def _was_cut(self) -> bool:
        """Whether the tail has been moved since we first looked: then our position means another place."""
        size = os.fstat(self._fd).st_size
        self._longest = max(self._longest, size)
        return size < self._longest

    def _data_from(self, position: int) -> int | None:
        try:
            return os.lseek(self._fd, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole, or the end
                return None
            return position  # a file system that knows no holes

    def _hole_from(self, position: int) -> int:
        try:
            return os.lseek(self._fd, position, os.SEEK_HOLE)
        except OSError:
            return position + BLOCK
