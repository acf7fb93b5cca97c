"""Which service manager runs the workers of an installation."""

from __future__ import annotations

import os
import pwd
import sys

from queuectl.config.installation import Installation
from queuectl.domain.settings import Settings
from queuectl.errors import ServiceError
from queuectl.services.manager import Manager, Site
from queuectl.services.supervisord.manager import PrivateSupervisord

PROGRAM = (sys.executable, "-m", "queuectl")
"""This queuectl, whatever is on the path of the service."""


def choose_manager(settings: Settings, installation: Installation, program: tuple[str, ...] = PROGRAM) -> Manager:
    """The manager that `service.manager` names; `auto` is the private supervisord.

    Raises:
        ServiceError: it isn't one that this version has.
    """
    if settings.service.manager not in ("auto", "supervisord"):
        raise ServiceError(
            f"service.manager: expected auto or supervisord, got {settings.service.manager!r}",
            hint="queuectl config unset service.manager",
        )
    return PrivateSupervisord(site(settings, installation, program))


def site(settings: Settings, installation: Installation, program: tuple[str, ...] = PROGRAM) -> Site:
    """What all units of the installation share."""
    return Site(
        home=installation.home,
        config_file=installation.config_file if installation.explicit_config else None,
        program=program,
        logs=installation.logs,
        supervisor=installation.supervisor,
        shutdown_timeout=settings.shutdown_timeout,
        kill_grace=settings.kill_grace,
        user=_owner(installation.home),
    )


def _owner(home: str) -> str | None:
    """The name of the home's owner, where root asks: its jobs must not become root's. Of anybody else, None."""
    if os.geteuid() != 0 or not os.path.isdir(home):
        return None
    uid = os.stat(home).st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        if uid == 0:
            return None
        raise ServiceError(
            f"{home} belongs to user {uid}, who is in no list of users: its workers can't be run as that user",
            hint=f"chown the home, or run queuectl as user {uid}",
        ) from None
