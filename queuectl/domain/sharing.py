"""The modes of a home, and of what is in it: its owner's alone, or open to a group as well.

What is made is as open as the directory that it is made in, so that nobody who makes something need know the settings.
The mode of a directory that is shared is the mark of it: the kernel hands its group, and the mark, down.
"""

from __future__ import annotations

import stat

SHARED = stat.S_ISGID | 0o750
"""Members of the group enter and read a shared directory. They make nothing in it, not even in the home: what they
write to, the database with its log and its lock, is there already."""


def is_shared(directory_mode: int) -> bool:
    """Whether a directory of that mode is open to a group."""
    return stat.S_IMODE(directory_mode) == SHARED


def directory_mode(above: int) -> int:
    """The permissions of a directory that is made in one of the mode `above`."""
    return 0o750 if is_shared(above) else 0o700


def file_mode(directory: int) -> int:
    """The permissions of a file that is made in a directory of that mode."""
    return 0o640 if is_shared(directory) else 0o600


def database_mode(directory: int) -> int:
    """The same of what everybody writes who may enqueue: the database, and the lock beside it."""
    return 0o660 if is_shared(directory) else 0o600
