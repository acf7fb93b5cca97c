"""The home: whose it is, and who may enter it."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.domain.findings import Finding, error, ok, warning

_MOST = 20_000
"""Files that are looked at: the outputs of a busy day may be a million."""
_NAMED = 3
_LINKS = ("supervisor/supervisor.sock",)
"""The one name that may be a symlink: to a socket elsewhere, where the home's path is too long for one."""


def examine(place: Installation) -> Iterator[Finding]:
    """Whether it is there, whose it is, what is in it, and who could put another in its place."""
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
    yield _owner(home, found.st_uid)
    yield from _contents(home, found.st_uid)
    yield from _above(home)


def _owner(home: str, uid: int) -> Finding:
    mine = os.geteuid()
    if mine in (0, uid):
        return ok("home.owner", home, f"belongs to {_name(uid)}")
    return error("home.owner", home, f"belongs to {_name(uid)}, and you are {_name(mine)}", f"sudo -u {_name(uid)} …")


def _contents(home: str, owner: int) -> Iterator[Finding]:
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
        elif found.st_mode & 0o077:
            open_to_others.append(path)
        if found.st_uid != owner:
            strangers.append(path)
    place = shlex.quote(home)
    if open_to_others:
        # Jobs' commands and outputs, with the secrets in them, and the socket that starts and stops workers.
        yield error("home.permissions", _some(open_to_others), "open to others", f"chmod -R go-rwx {place}")
    if strangers:
        mend = f"sudo chown -R {_name(owner)} {place}"
        yield error("home.owners", _some(strangers), f"expected them to be {_name(owner)}'s, as the home is", mend)
    if links:
        yield warning(
            "home.links", _some(links), "symlinks, which queuectl never makes", f"ls -l {shlex.quote(links[0])}"
        )
    if not (open_to_others or strangers or links):
        yield ok("home.permissions", home, f"all that is in it is {_name(owner)}'s alone")


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


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
