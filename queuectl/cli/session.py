"""What every command shares: the global options, and what they lead to."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from queuectl.errors import UsageError

if TYPE_CHECKING:
    from queuectl.config.installation import Installation
    from queuectl.config.layers import Config
    from queuectl.domain.intake import Defaults
    from queuectl.domain.settings import Settings
    from queuectl.queue.library import Queue
    from queuectl.storage.database import Database


class Session:
    """One call of the command line. What it leads to is made when it is first asked for."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.config_file: str | None = None
        self.user = False
        self.color = "auto"
        self.quiet = False
        self.verbosity = 0

    @cached_property
    def place(self) -> Installation:
        """The installation that --home, --config, --user and the environment name."""
        from queuectl.config.installation import locate

        return locate(self.home, self.config_file, self.user, os.environ)

    @cached_property
    def config(self) -> Config:
        """What the installation is set to; raises ConfigError."""
        from queuectl.config.layers import load

        return load(self.place, os.environ)

    @cached_property
    def settings(self) -> Settings:
        """The settings alone; raises ConfigError."""
        from queuectl.config.untouched import is_untouched
        from queuectl.domain.settings import Settings

        return Settings() if is_untouched(self.place, os.environ) else self.config.settings

    @cached_property
    def database(self) -> Database:
        """The installation's database, made where it is missing. Lighter than `queue`, for `enqueue` alone."""
        from queuectl.queue.opening import open_database

        return open_database(self.place, self.settings)

    @cached_property
    def queue(self) -> Queue:
        """The installation's queue; raises ConfigError, DatabaseError."""
        from queuectl.queue.library import Queue

        return Queue.at(self.place, self.settings)

    def refuse_guest(self, what: str) -> None:
        """Let only the owner of the home, and root, go on to do `what`; raises NotPermitted."""
        from queuectl.config.ownership import refuse_guest

        refuse_guest(self.place.home, what)

    def defaults(self, *, held: bool = False) -> Defaults:
        """What a job enqueued now, from here, gets where it says nothing."""
        from queuectl.domain.clock import now_ms
        from queuectl.domain.intake import defaults

        return defaults(self.settings, now=now_ms(), cwd=working_directory(), held=held)

    @property
    def verbose(self) -> bool:
        return self.verbosity > 0

    def colored(self, stream: TextIO) -> bool:
        """Whether to draw on `stream` in colour."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return stream.isatty()

    def drawn(self, stream: TextIO) -> bool:
        """Whether a person looks at `stream`: then times are relative, and tables fit the width."""
        return stream.isatty() or self.color == "always"

    def note(self, text: str) -> None:
        """Say something that is no data; not with --quiet."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def hint(self, text: str) -> None:
        """Say what one could do next; not with --quiet."""
        self.note(f"hint: {text}")


def working_directory() -> str:
    """The directory that jobs start in unless they say another.

    Raises:
        UsageError: it is gone, or can't be kept as text.
    """
    try:
        path = os.getcwd()
        path.encode()
    except FileNotFoundError:
        raise UsageError("the working directory is gone", hint="cd to one that is there") from None
    except UnicodeEncodeError:
        raise UsageError(f"expected a working directory in UTF-8, got {os.fsencode(path)!r}") from None
    return path
