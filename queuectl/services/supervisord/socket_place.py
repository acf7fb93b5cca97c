"""Where the private supervisord listens."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator

from queuectl.errors import ServiceError
from queuectl.services.manager import Site

LONGEST = 99
"""Bytes. The kernel takes 107, and supervisord first binds the path with `.PID` behind it."""

NAME = "supervisor.sock"


def find(site: Site) -> str:
    """The socket of the daemon that was started last; it needn't exist.

    Where the home's own path is too long, a symlink in the home tells: the runtime directory is a matter of the
    environment, and cron's is another than the shell's.
    """
    at_home = f"{site.supervisor}/{NAME}"
    if _fits(at_home):
        return at_home
    try:
        return os.readlink(at_home)
    except OSError:
        return at_home


def choose(site: Site) -> str:
    """The socket for a daemon that is about to start, its directory made, what was left of a former one removed.

    Only under the lock, and with no daemon running.

    Raises:
        ServiceError: the home's path is too long, and there is no private directory elsewhere.
    """
    at_home = f"{site.supervisor}/{NAME}"
    remove(site)
    if _fits(at_home):
        return at_home
    digest = hashlib.sha256(os.fsencode(os.path.realpath(site.home))).hexdigest()[:16]
    owner = os.stat(site.supervisor).st_uid
    tried = [at_home]
    for directory in _runtime_dirs(owner):
        path = f"{directory}/queuectl-{digest}.sock"
        tried.append(path)
        if _fits(path) and _is_private(directory, owner):
            _unlink(path)
            os.symlink(path, at_home)
            if os.geteuid() == 0:
                os.lchown(at_home, owner, -1)
            return path
    raise ServiceError(
        f"expected a place for the socket of supervisord: a path of at most {LONGEST} bytes, in a directory that only "
        f"user {owner} may enter; tried {', '.join(tried)}",
        hint="use a shorter --home, or set XDG_RUNTIME_DIR to such a directory",
    )


def remove(site: Site) -> None:
    """Remove the socket of a daemon that is gone."""
    path = find(site)
    _unlink(path)
    _unlink(f"{site.supervisor}/{NAME}")


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= LONGEST


def _runtime_dirs(owner: int) -> Iterator[str]:
    if owner == os.geteuid() and os.environ.get("XDG_RUNTIME_DIR"):
        yield os.environ["XDG_RUNTIME_DIR"]
    yield f"/run/user/{owner}"
    path = f"{tempfile.gettempdir()}/queuectl-{owner}"
    try:
        os.mkdir(path, 0o700)
        if owner != os.geteuid():
            os.chown(path, owner, -1)
    except OSError:
        pass  # it is there, perhaps by somebody else's hand: who asks for it looks whose it is
    yield path


def _is_private(path: str, owner: int) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
