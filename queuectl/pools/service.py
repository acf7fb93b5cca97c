"""Bringing the workers of an installation into a service manager of the system, as its administrator asks."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from queuectl.config.installation import Installation, create
from queuectl.config.layers import Config
from queuectl.config.limits import check_total
from queuectl.config.sharing import share
from queuectl.errors import ConfigError, Problem, ServiceError
from queuectl.pools.choice import PROGRAM, choose_system_manager, described, site
from queuectl.pools.readiness import wait_ready
from queuectl.services import installing, manifest
from queuectl.services.changes import Change
from queuectl.services.supervisord.manager import PrivateSupervisord

_REACHES_UNITS = frozenset(
    {
        *("user", "group", "nice", "memory_max", "cpu_quota", "tasks_max", "environment_file", "hardening"),
        "directives",
    }
)


class Installed(NamedTuple):
    """What `service install` did."""

    changes: Sequence[Change]
    started: Sequence[str]
    """The names of the workers that were started or restarted."""


class Service:
    """The files of a service manager that say how the workers of an installation run.

    Raises ServiceError where the manager refuses, ConfigError where it can't hold a setting.
    """

    def __init__(self, config: Config, installation: Installation) -> None:
        self._config = config
        self._installation = installation
        self._manager = choose_system_manager(config.settings, installation)
        self._units = described(config.settings)

    @property
    def account(self) -> str:
        """Whom the workers run as."""
        return site(self._config.settings, self._installation).account

    @property
    def kind(self) -> str:
        """The name of the manager."""
        return self._manager.kind

    def render(self) -> dict[str, str]:
        """What `install` would write, by path."""
        return dict(self._manager.render(self._units))

    def diff(self) -> list[Change]:
        """What isn't as the configuration says now."""
        return installing.pending(self._manager, self._installation.home, self._units)

    def written(self) -> list[str]:
        """The paths of what is installed."""
        found = manifest.load(self._installation.home)
        return sorted(found.files) if found is not None else []

    def install(self, start: bool = True, dry_run: bool = False) -> Installed:
        """Write what changed, and have it count: restart what runs otherwise than is said now, start what doesn't run.

        On return all workers are ready, unless the manager itself doesn't run: then they start with it.
        """
        problem = check_total(self._config.settings)
        if problem:
            raise ConfigError([problem])
        self._check_sources()
        found = self.diff()
        if dry_run:
            installing.check(self._manager, self._installation.home, found)
            return Installed(found, [])
        self._check_rights("install", (change.path for change in found))
        self._make_home()
        if start:
            self._take_over()
        started = installing.install(self._manager, self._installation.home, self._units, found, start)
        if start:
            # Also those that ran already: what a former install began may not be ready yet, or never get so.
            known = {process.unit for process in self._manager.status()}
            wait_ready(self._manager, self._installation.locks, {*started, *known.intersection(self._units)})
        return Installed(found, [unit.name for unit in started])

    def uninstall(self, dry_run: bool = False) -> list[str]:
        """Stop the workers, and remove what `install` wrote; the paths."""
        written = [path for path in self.written() if os.path.exists(path)]
        if dry_run:
            return written
        self._check_rights("uninstall", written)
        return installing.uninstall(self._manager, self._installation.home)

    def _take_over(self) -> None:
        """Stop workers that our own supervisord runs: they hold the names, and those of the system would wait."""
        private = PrivateSupervisord(site(self._config.settings, self._installation))
        private.stop([process.unit for process in private.status()])

    def _check_rights(self, command: str, paths: Iterable[str]) -> None:
        for path in paths:
            above = os.path.dirname(path)
            while not os.path.isdir(above):
                above = os.path.dirname(above)
            if not os.access(above, os.W_OK):
                place = self._installation
                config = ["--config", place.config_file] if place.explicit_config else []
                argv = ["sudo", *PROGRAM, "service", command, "--home", place.home, *config]
                raise ServiceError(f"{path}: only root can write there", hint=shlex.join(argv))

    def _check_sources(self) -> None:
        """As root, see that nobody else says what reaches a unit: the home is the service's user's, and whoever can
        write there would be root with the next `service install`.

        Raises:
            ConfigError: somebody else could.
        """
        if os.geteuid() != 0:
            return
        problems = []
        for key, origin in self._config.origins.items():
            parts = key.split(".")
            if parts[0] != "service" and not (parts[0] == "pools" and parts[2] in _REACHES_UNITS):
                continue
            path, colon, line = origin.rpartition(":")
            path = os.path.join(self._installation.home, path)
            if colon and line.isdigit() and os.path.exists(path) and not _is_roots(path):
                problems.append(
                    Problem(origin, f"{key}: expected a file that only root can write, since root acts on it")
                )
        if problems:
            config = self._installation.config_file
            hint = f"say it in a file that is root's ({config}, say), or: chown root: FILE; chmod go-w FILE"
            raise ConfigError(problems, hint=hint)

    def _make_home(self) -> None:
        """Make the home where it is missing, for the user that the workers run as."""
        home, user = self._installation.home, self._config.settings.service.user
        if user and os.geteuid() == 0 and not os.path.isdir(home):
            try:
                entry = pwd.getpwnam(user)
            except KeyError:
                problem = Problem("service.user", f"expected a user of this machine, got {user!r}")
                raise ConfigError([problem], hint=f"useradd --system --home-dir {home} {user}") from None
            os.makedirs(os.path.dirname(home), exist_ok=True)
            os.mkdir(home, 0o700)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        create(self._installation)
        share(self._installation, self._config.settings)


def _is_roots(path: str) -> bool:
    found = os.stat(path)
    return found.st_uid == 0 and not found.st_mode & 0o022
