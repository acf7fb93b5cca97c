"""Which service manager runs the workers of an installation."""

from __future__ import annotations

import os
import pwd
import sys

from queuectl.config.installation import SYSTEM_HOME, Installation, database_file
from queuectl.config.ownership import login
from queuectl.domain.settings import Settings
from queuectl.errors import ConfigError, Problem, ServiceError
from queuectl.services import manifest
from queuectl.services.manager import Manager, Site, SystemManager, WorkerUnit
from queuectl.services.supervisord.manager import PrivateSupervisord

PROGRAM = (sys.executable, "-m", "queuectl")
"""This queuectl, whatever is on the path of the service."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
"""Where queuectl's own code lies."""

SUPERVISORD_CONFIGS = ("/etc/supervisor/supervisord.conf", "/etc/supervisord.conf")
"""Where distributions have the configuration of the system's supervisord."""


def choose_manager(settings: Settings, installation: Installation, program: tuple[str, ...] = PROGRAM) -> Manager:
    """The manager that `service.manager` names; with `auto` the one for which `service install` wrote its files, else
    the private supervisord.

    Raises:
        ServiceError: what was installed can't be told.
        ConfigError: the configuration of the system's supervisord is no good.
    """
    here = site(settings, installation, program)
    return _system_manager(settings, here) or PrivateSupervisord(here)


def choose_system_manager(
    settings: Settings, installation: Installation, program: tuple[str, ...] = PROGRAM
) -> SystemManager:
    """The manager for which `service install` writes files; with `auto` the one that this machine has.

    Raises:
        ServiceError: there is none, or `service.manager` says the private supervisord.
        ConfigError: as in `choose_manager`.
    """
    here = site(settings, installation, program)
    found = _system_manager(settings, here)
    if found is not None:
        return found
    if settings.service.manager == "supervisord":
        raise ServiceError(
            "service.manager is supervisord, and service.supervisord_config doesn't name the system's: "
            "a supervisord of our own has nothing to install, it starts with the first worker",
            hint="queuectl worker start; or name it: queuectl config set service.supervisord_config "
            + SUPERVISORD_CONFIGS[0],
        )
    if os.path.isdir("/run/systemd/system"):
        return _systemd(here)
    for config in SUPERVISORD_CONFIGS:
        if os.path.exists(config):
            return _supervisord(here, config)
    raise ServiceError(
        "expected a service manager to install for, got neither a running systemd nor a supervisord in /etc",
        hint="queuectl config set service.manager systemd installs all the same; `queuectl worker start` needs none",
    )


def site(settings: Settings, installation: Installation, program: tuple[str, ...] = PROGRAM) -> Site:
    """What all units of the installation share.

    Raises:
        ServiceError: root asks, and the home belongs to nobody who is known.
    """
    owner = _owner(installation.home)
    account = settings.service.user or owner or login(os.geteuid())
    return Site(
        home=installation.home,
        config_file=installation.config_file if installation.explicit_config else None,
        program=program,
        logs=installation.logs,
        supervisor=installation.supervisor,
        shutdown_timeout=settings.shutdown_timeout,
        kill_grace=settings.kill_grace,
        user=owner if os.geteuid() == 0 else None,
        owner=owner,
        account=account,
        account_home=_home_of(account),
        database=database_file(installation, settings),
        patience=settings.job_lock_timeout,
        hardening=settings.service.hardening,
        code=(os.path.realpath(program[0]), _PACKAGE),
        pools=settings.pools,
        shared=bool(settings.share_with),
    )


def described(settings: Settings) -> list[WorkerUnit]:
    """The workers that the settings want."""
    return [WorkerUnit(name, number) for name, pool in settings.pools.items() for number in range(pool.workers)]


def _system_manager(settings: Settings, here: Site) -> SystemManager | None:
    """The manager of the system that runs the workers; None for the private supervisord."""
    wanted, config = settings.service.manager, settings.service.supervisord_config
    installed = manifest.load(here.home)
    if wanted == "systemd":
        return _systemd(here, installed)
    if wanted == "supervisord":
        return _supervisord(here, config) if config else None
    if installed is None:
        return _supervisord(here, config) if config else None
    if installed.manager != "supervisord":
        return _systemd(here, installed)
    found = config or next((path for path in SUPERVISORD_CONFIGS if os.path.exists(path)), None)
    if found is None:
        raise ConfigError(
            [Problem("service.supervisord_config", f"expected that for which {here.home} is installed, got none")]
        )
    return _supervisord(here, found)


def _systemd(here: Site, installed: manifest.Manifest | None = None) -> SystemManager:
    from queuectl.services.systemd import scope
    from queuectl.services.systemd.manager import Systemd

    systems = os.geteuid() == 0 or here.home == SYSTEM_HOME
    if installed is not None and installed.manager in (scope.SYSTEM.kind, scope.PERSON):
        # Also who isn't root may look at what root installed for this home, and tell it to the system's systemd.
        systems = installed.manager == scope.SYSTEM.kind
    return Systemd(here, scope.SYSTEM if systems else scope.of_person(os.path.expanduser("~")))


def _supervisord(here: Site, config: str) -> SystemManager:
    from queuectl.services.supervisord.shared import SharedSupervisord

    return SharedSupervisord(here, config)


def _owner(home: str) -> str | None:
    """The name of the home's owner; None if there is no such home.

    Raises:
        ServiceError: it has no name, and root asks, whose the jobs must not become.
    """
    if not os.path.isdir(home):
        return None
    uid = os.stat(home).st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        if uid == os.geteuid():
            return None
        raise ServiceError(
            f"{home} belongs to user {uid}, who is in no list of users: its workers can't be run as that user",
            hint=f"chown the home, or run queuectl as user {uid}",
        ) from None


def _home_of(account: str) -> str:
    try:
        return pwd.getpwnam(account).pw_dir
    except KeyError:
        return "/"
