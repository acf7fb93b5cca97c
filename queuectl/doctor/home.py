"""The home: whose it is, and who may enter it."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.config.ownership import login
from queuectl.doctor import sharing
from queuectl.domain.findings import Finding, error, ok, warning
from queuectl.domain.settings import Settings
from queuectl.domain.sharing import is_shared

_MOST = 20_000
"""Files that are looked at: the outputs of a busy day may be a million."""
_NAMED = 3
_LINKS = ("supervisor/supervisor.sock",)
"""The one name that may be a symlink: to a socket elsewhere, where the home's path is too long for one."""


def examine(place: Installation, settings: Settings) -> Iterator[Finding]:
    """Whether it is there, whose it is, what is in it, who may look in, and who could put another in its place."""
    home = place.home
    try:
        found = os.stat(home)
    except OSError as refused:
        if isinstance(refused, FileNotFoundError):
            yield ok("home", home, "isn't there yet: the first enqueue makes it")
        else:
            yield error("home", home, f"can't be entered: {(refused.strerror or '').lower()}")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield error("home", home, "expected a directory, got something else", "name another with --home")
        return
    yield _owner(home, found)
    yield from _contents(place, settings, found)
    yield from sharing.examine(place, settings, found)
    yield from _above(home)


def _owner(home: str, found: os.stat_result) -> Finding:
    mine, owner = os.geteuid(), login(found.st_uid)
    if mine in (0, found.st_uid):
        return ok("home.owner", home, f"belongs to {owner}")
    if is_shared(found.st_mode) and os.access(home, os.X_OK, effective_ids=True):
        return ok("home.owner", home, f"belongs to {owner}, and is open to a group that you are in: enqueue and look")
    return error("home.owner", home, f"belongs to {owner}, and you are {login(mine)}", f"sudo -u {owner} …")


def _contents(place: Installation, settings: Settings, top: os.stat_result) -> Iterator[Finding]:
    home, owner = place.home, top.st_uid
    allowed = sharing.Allowed(place, settings, top)
    open_to_others: list[str] = []
    strangers: list[str] = []
    links: list[str] = []
    looked = 0
    for path in _walk(home):
        looked += 1
        if looked > _MOST:
            break
        try:
            found = os.lstat(path)
        except OSError:
            continue  # gone meanwhile, or not ours to see: the owner is said above
        if stat.S_ISLNK(found.st_mode):
            if os.path.relpath(path, home) not in _LINKS:
                links.append(path)
        elif found.st_mode & 0o077 & ~allowed.mode(path, is_directory=stat.S_ISDIR(found.st_mode)):
            open_to_others.append(path)
        if found.st_uid != owner:
            strangers.append(path)
    quoted = shlex.quote(home)
    if open_to_others:
        # Jobs' commands and outputs, with the secrets in them, and the socket that starts and stops workers.
        yield error("home.permissions", _some(open_to_others), "open to others", allowed.mend)
    if strangers:
        mend = f"sudo chown -R {login(owner)} {quoted}"
        yield error("home.owners", _some(strangers), f"expected them to be {login(owner)}'s, as the home is", mend)
    if links:
        yield warning(
            "home.links", _some(links), "symlinks, which queuectl never makes", f"ls -l {shlex.quote(links[0])}"
        )
    if not (open_to_others or strangers or links):
        group = f", but for what {settings.share_with} may see" if is_shared(top.st_mode) else ""
        yield ok("home.permissions", home, f"all that is in it is {login(owner)}'s alone{group}")


def _above(home: str) -> Iterator[Finding]:
    """Who can write the directory that the home is in can put another home in its place."""
    path = os.path.realpath(home)
    while path != os.sep:
        path = os.path.dirname(path)
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return
        if mode & 0o002 and not mode & stat.S_ISVTX:
            yield error("home.above", path, "everybody may write it, and rename what is in it", f"chmod o-w {path}")


def _walk(home: str) -> Iterator[str]:
    yield home
    for directory, directories, files in os.walk(home):
        for name in (*directories, *files):
            yield os.path.join(directory, name)


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
