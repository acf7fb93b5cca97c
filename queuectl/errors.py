"""Every error that queuectl reports to a person, as one tree.

An error carries what the command line needs to end well: the exit code, and a hint that says what to do.
Messages say what was expected, what was got, and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class QueuectlError(Exception):
    """The base of the tree; `str(error)` is one clear line, `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(QueuectlError):
    """The command line can't be carried out as it was given."""

    exit_code = 2


class InvalidJob(UsageError):
    """A job that was refused at the door; `key` is the offending one, where there is one."""

    def __init__(self, message: str, *, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class AmbiguousId(UsageError):
    """A prefix that several jobs' ids begin with."""


class NoSuchJob(QueuectlError):
    """No job has that id."""

    exit_code = 4


class DuplicateJob(QueuectlError):
    """A job with that id, or an unended one with that unique key, is in the queue already; `index` says which of a
    batch it was."""

    def __init__(self, message: str, *, index: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.index = index


class WrongState(QueuectlError):
    """The job's state doesn't allow what was asked."""


class NotPermitted(QueuectlError):
    """Only the owner of the queue, and root, may do that; to a job, also who enqueued it."""


class WaitTimeout(QueuectlError):
    """The job had not ended when the time to wait was over."""

    exit_code = 124


class DatabaseError(QueuectlError):
    """The database can't serve; nothing was written, unless it is DatabaseUnsure."""


class DatabaseUnavailable(DatabaseError):
    """It can't be opened, or is locked, for now: trying again may help."""


class DatabaseDamaged(DatabaseError):
    """What the file holds is not what was once written there."""


class DatabaseForeign(DatabaseError):
    """The file is a database, but not one of queuectl."""


class DatabaseNewer(DatabaseError):
    """A later queuectl wrote the file, in a form that this one doesn't know."""


class DatabaseReadOnly(DatabaseError):
    """The file, or its directory, can't be written."""


class DiskFull(DatabaseError):
    """There is no room to write."""


class DatabaseUnsure(DatabaseError):
    """The disk failed in the moment of a commit: nobody knows whether it was written, until it is looked for."""


class ServiceError(QueuectlError):
    """The service manager refused, or didn't answer."""


class Problem(NamedTuple):
    """One thing that is wrong with a configuration: where, and what."""

    where: str
    """A file and line, an environment variable, or an option."""
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class ConfigError(QueuectlError):
    """The configuration can't be used; `problems` lists all that is wrong, not just the first."""

    exit_code = 78

    def __init__(self, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(problems)
