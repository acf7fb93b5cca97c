"""Whether the home is open to the group that `share_with` names, and to no other."""

from __future__ import annotations

import grp
import os
import shlex
import stat
from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.config.sharing import database_files, find_problem, is_as_said, shared_directories
from queuectl.domain.findings import Finding, error, ok
from queuectl.domain.settings import Settings
from queuectl.domain.sharing import SHARED, database_mode, directory_mode, file_mode, is_shared

_APPLY = "queuectl worker start"


class Allowed:
    """How open what is in the home may be."""

    def __init__(self, place: Installation, settings: Settings, home: os.stat_result) -> None:
        self._home = place.home
        self._mode = home.st_mode
        self._directories = shared_directories(place) if is_shared(home.st_mode) else ()
        # A former database is kept beside it, under a longer name, and with the mode that it had.
        self._databases = database_files(place, settings) if is_shared(home.st_mode) else ()
        quoted = shlex.quote(place.home)
        # Closed as a whole, and opened again as it should be.
        again = f" && {_APPLY}" if settings.share_with else ""
        self.mend = f"chmod -R go-rwx {quoted}{again}"

    def mode(self, path: str, *, is_directory: bool) -> int:
        """The permissions of what is at `path`, at most."""
        if path == self._home:
            return self._mode if is_shared(self._mode) else 0o700
        top = os.path.join(self._home, os.path.relpath(path, self._home).split(os.sep)[0])
        if top in self._directories:
            return directory_mode(self._mode) if is_directory else file_mode(self._mode)
        if path.startswith(self._databases):
            return database_mode(self._mode)
        # Of the rest nobody gets to the files, whose modes supervisord makes by its umask.
        return 0o700 if is_directory else file_mode(self._mode)


def examine(place: Installation, settings: Settings, home: os.stat_result) -> Iterator[Finding]:
    """What isn't as `share_with` says; nothing where neither it nor the home says anything of a group."""
    shared = is_shared(home.st_mode)
    problem = find_problem(place, settings)
    if problem is not None:
        yield error("home.sharing", problem.where, problem.message, "queuectl config check")
        return
    if not settings.share_with:
        if shared:
            yield error(
                "home.sharing", place.home, f"open to group {_group(home.st_gid)}, and share_with is empty", _APPLY
            )
        return
    gid = grp.getgrnam(settings.share_with).gr_gid
    if not is_as_said(home, gid):
        yield error("home.sharing", place.home, f"isn't open to {settings.share_with}, as share_with says", _APPLY)
        return
    closed = [path for path, mode in _needed(place, settings) if not _is_open(path, gid, mode)]
    if closed:
        mend = f"chmod 700 {shlex.quote(place.home)} && {_APPLY}"
        yield error("home.sharing", ", ".join(closed), f"{settings.share_with} can't use it", mend)
    else:
        yield ok("home.sharing", place.home, f"members of {settings.share_with} may enqueue and look")


def _needed(place: Installation, settings: Settings) -> Iterator[tuple[str, int]]:
    """What members need, with the mode that they need it in."""
    database, *beside = database_files(place, settings)
    if os.path.exists(database):
        yield from ((path, database_mode(SHARED)) for path in (database, *beside))
    yield from ((path, SHARED) for path in shared_directories(place))


def _is_open(path: str, gid: int, mode: int) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return found.st_gid == gid and stat.S_IMODE(found.st_mode) & mode == mode


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
