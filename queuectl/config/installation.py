"""Where an installation lies: its home, its YAML, and what is in the home."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import NamedTuple

from queuectl.domain.settings import Settings
from queuectl.domain.sharing import SHARED, directory_mode, is_shared
from queuectl.errors import ConfigError, DatabaseError, DatabaseReadOnly, DiskFull, Problem, QueuectlError, UsageError

SYSTEM_CONFIG = "/etc/queuectl/queuectl.yaml"
"""Where it exists, it makes the system's installation the one that counts."""
SYSTEM_HOME = "/var/lib/queuectl"


class Installation(NamedTuple):
    """A home with its YAML. All paths are absolute."""

    home: str
    config_file: str
    """The YAML that counts; it may not exist."""
    explicit_config: bool
    """It was named by --config or $QUEUECTL_CONFIG: then it must exist."""

    @property
    def database(self) -> str:
        """The SQLite file, unless the setting `database` names another: see `database_file`."""
        return os.path.join(self.home, "queue.db")

    @property
    def config_dir(self) -> str:
        """The directory of YAML files that come after `config_file`."""
        return os.path.join(self.home, "config.d")

    @property
    def locks(self) -> str:
        """The directory of the locks that workers hold while they live."""
        return os.path.join(self.home, "locks")

    @property
    def output(self) -> str:
        """The directory of what jobs wrote."""
        return os.path.join(self.home, "output")

    @property
    def logs(self) -> str:
        """The directory of the workers' logs."""
        return os.path.join(self.home, "logs")

    @property
    def supervisor(self) -> str:
        """The directory of the private supervisord."""
        return os.path.join(self.home, "supervisor")

    @property
    def backups(self) -> str:
        """The directory of the backups that have their time in their name."""
        return os.path.join(self.home, "backups")


def locate(
    home: str | None,
    config: str | None,
    user: bool,
    environ: Mapping[str, str],
    *,
    system_config: str = SYSTEM_CONFIG,
    system_home: str = SYSTEM_HOME,
) -> Installation:
    """The installation that --home, --config, --user and the environment name. Touches nothing.

    Raises:
        UsageError: an option is empty, or names no possible path.
        ConfigError: no home is named, and the user has none.
    """
    if home is not None:
        place = _absolute(home, "--home", environ)
    elif environ.get("QUEUECTL_HOME"):
        place = _absolute(environ["QUEUECTL_HOME"], "QUEUECTL_HOME", environ)
    elif not user and os.path.exists(system_config):
        place = system_home
    else:
        place = _absolute("~/.queuectl", "HOME", environ)
    if config is not None:
        return Installation(place, _absolute(config, "--config", environ), True)
    if environ.get("QUEUECTL_CONFIG"):
        return Installation(place, _absolute(environ["QUEUECTL_CONFIG"], "QUEUECTL_CONFIG", environ), True)
    return Installation(place, system_config if place == system_home else os.path.join(place, "queuectl.yaml"), False)


def database_file(installation: Installation, settings: Settings) -> str:
    """The path of the SQLite file: what the setting `database` names, else queue.db in the home."""
    return settings.database.removeprefix("sqlite:///") or installation.database


def create(installation: Installation) -> None:
    """Make the home and the directories in it where they are missing, 0700, owned as the home is; where that is open
    to a group, so are those that its members look into.

    On return what was made would survive a power cut. Any number of processes may do this at once.

    Raises:
        DatabaseReadOnly: no permission, or a read-only file system.
        DiskFull: no room.
        ConfigError: the path can't be a directory.
    """
    _make_directory(installation.home, installation, 0o700)
    mode = directory_mode(os.stat(installation.home).st_mode)
    for path in (installation.config_dir, installation.locks, installation.output, installation.logs):
        _make_directory(path, installation, mode)
    for path in (installation.supervisor, installation.backups):
        _make_directory(path, installation, 0o700)


def hand_over(fd: int, installation: Installation) -> None:
    """Give a file that root made in the home to the owner of the home; for anybody else, nothing."""
    if os.geteuid() != 0:
        return
    owner = os.stat(installation.home)
    mine = os.fstat(fd)
    if (mine.st_uid, mine.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(fd, owner.st_uid, owner.st_gid)


def refused(error: OSError, path: str) -> QueuectlError:
    """The error to raise where the system wouldn't let queuectl write at `path`."""
    place = error.filename if isinstance(error.filename, str) else path
    reason = f"{place}: can't be written: {os.strerror(error.errno or 0).lower()}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(reason, hint="make room on that disk, or choose another home with --home")
    if error.errno in (errno.EACCES, errno.EPERM):
        return DatabaseReadOnly(reason, hint="run it as the owner of the home, or choose another with --home")
    if error.errno == errno.EROFS:
        return DatabaseReadOnly(reason, hint="the file system is mounted read-only: choose another home with --home")
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG):
        got = os.strerror(error.errno).lower()
        return ConfigError([Problem(place, f"expected a place for queuectl's directory, got: {got}")])
    return DatabaseError(reason)


def _make_directory(path: str, installation: Installation, mode: int) -> None:
    try:
        if _make(path, mode):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                hand_over(fd, installation)
                # By the umask. Else not: a hardened service may not set the mark, and needn't.
                if mode != 0o700 and not is_shared(os.fstat(fd).st_mode):
                    os.fchmod(fd, SHARED)
            finally:
                os.close(fd)
    except OSError as error:
        raise refused(error, path) from error


def _make(path: str, mode: int) -> bool:
    """Make a directory, and those above it; False if it was there."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make(above, 0o777)  # what isn't ours is made as anybody would
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if os.path.isdir(path):
            return False
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
    sync_directory(above)
    return True


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _absolute(path: str, source: str, environ: Mapping[str, str]) -> str:
    if not path or "\0" in path:
        raise UsageError(f"{source}: expected a path, got {path!r}")
    if path == "~" or path.startswith("~/"):
        person = environ.get("HOME") or os.path.expanduser("~")
        if not os.path.isabs(person):
            problem = Problem("HOME", "expected your home directory, got nothing")
            raise ConfigError([problem], hint="name queuectl's directory with --home or QUEUECTL_HOME")
        path = person + path[1:]
    elif path.startswith("~"):
        path = os.path.expanduser(path)
    try:
        return os.path.abspath(path)
    except OSError:
        raise UsageError(f"{source}: {path!r} is relative, and the working directory is gone") from None
