"""Opening a home to the group that `share_with` names, and closing it again."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator

from queuectl.config.installation import Installation, database_file, refused
from queuectl.config.ownership import login
from queuectl.domain.settings import Settings
from queuectl.domain.sharing import SHARED, database_mode, file_mode, is_shared
from queuectl.errors import ConfigError, Problem

PRIVATE = 0o700


def find_problem(place: Installation, settings: Settings) -> Problem | None:
    """Why `share_with` can't be carried out, wherever it is said."""
    group = settings.share_with
    if not group:
        return None
    path = database_file(place, settings)
    if os.path.dirname(path) != place.home:
        return Problem("share_with", f"expected the database in the home, which is what is shared, got {path}")
    try:
        grp.getgrnam(group)
    except KeyError:
        return Problem("share_with", f"expected a group of this machine, got {group!r}; groupadd --system {group}")
    return None


def share(place: Installation, settings: Settings) -> bool:
    """Make the home, and all in it, as open as the settings say; nothing where it is so already. Whether it is shared.

    A crash on the way leaves a home that isn't marked, so that the next one does it again.

    Raises:
        ConfigError: there is no such group, or the owner of the home isn't in it.
        DatabaseReadOnly: the modes can't be changed.
    """
    problem = find_problem(place, settings)
    if problem is not None:
        raise ConfigError([problem])
    home = os.stat(place.home)
    if not settings.share_with:
        if is_shared(home.st_mode) and os.geteuid() in (0, home.st_uid):
            _apply(place, settings, home.st_uid, home.st_gid, PRIVATE)
            return False
        return is_shared(home.st_mode)
    gid = grp.getgrnam(settings.share_with).gr_gid
    if not is_as_said(home, gid):
        _refuse_stranger(settings.share_with, home.st_uid, gid)
        _apply(place, settings, home.st_uid, gid, SHARED)
    return True


def is_as_said(home: os.stat_result, gid: int) -> bool:
    """Whether the home is open to the group."""
    return is_shared(home.st_mode) and home.st_gid == gid


def shared_directories(place: Installation) -> tuple[str, ...]:
    """What members may look into. The supervisord's directory and the backups are the owner's alone."""
    return place.config_dir, place.locks, place.output, place.logs


def database_files(place: Installation, settings: Settings) -> tuple[str, ...]:
    """What members write to; not all of these need be there."""
    path = database_file(place, settings)
    return path, f"{path}-wal", f"{path}-shm", os.path.join(os.path.dirname(path), "write.lock")


def _refuse_stranger(group: str, owner: int, gid: int) -> None:
    """Only an owner who is in the group can give a file to it, and root does nothing that the owner may not: the
    settings are the owner's."""
    if owner == 0 or gid in (_groups_of(owner) if os.geteuid() == 0 else [os.getegid(), *os.getgroups()]):
        return
    raise ConfigError(
        [Problem("share_with", f"expected {login(owner)}, whose home it is, to be in the group {group!r}")],
        hint=f"usermod -aG {group} {login(owner)}; then log in again, or do this as root",
    )


def _groups_of(uid: int) -> list[int]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _apply(place: Installation, settings: Settings, owner: int, gid: int, mode: int) -> None:
    try:
        _set_all(place, settings, owner, gid, mode)
    except OSError as error:
        raise refused(error, place.home) from error


def _set_all(place: Installation, settings: Settings, owner: int, gid: int, mode: int) -> None:
    databases = database_files(place, settings)
    for path in databases:
        _set(path, owner, gid, database_mode(mode))
    for path in (os.path.join(place.home, "queuectl.yaml"), os.path.join(place.home, "service.json")):
        _set(path, owner, gid, file_mode(mode))
    for path, is_directory in _inside(place):
        _set(path, owner, gid, mode if is_directory else file_mode(mode))
    _set(os.path.realpath(place.home), owner, gid, mode)


def _inside(place: Installation) -> Iterator[tuple[str, bool]]:
    for top in shared_directories(place):
        # A person may have put the outputs on another disk, and a link here; the same for the home below.
        for directory, _, files in os.walk(os.path.realpath(top)):
            yield directory, True
            for name in files:
                yield os.path.join(directory, name), False


def _set(path: str, owner: int, gid: int, mode: int) -> None:
    """Set the group and the mode of what is the owner's at `path`; not through a link, which root might be led by.

    The descriptor only names the file: to open a database, and close it, would drop SQLite's locks on it.
    """
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        found = os.fstat(fd)
        if found.st_uid != owner or stat.S_ISLNK(found.st_mode):
            return
        if found.st_gid != gid:
            os.chown(f"/proc/self/fd/{fd}", -1, gid)
        # Also where it was right before: who gives a file away loses the mark of its group.
        os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)
