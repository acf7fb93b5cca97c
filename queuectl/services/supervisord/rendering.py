"""Programs of supervisord, and the configuration of the private one, as text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from queuectl.errors import ConfigError, Problem
from queuectl.services.manager import CONFIG_REFUSED, Site, WorkerUnit, command, stop_wait
from queuectl.services.supervisord import limits
from queuectl.services.supervisord.escaping import command_line, plain

PREFIX = "queuectl-"

_POOL = re.compile(r"[A-Za-z0-9_.-]+")

# %(here)s is the directory of the file, put in by supervisord after it has parsed the line: so a path in the home needs
# no escaping. minfds and minprocs are what supervisord insists on or doesn't start; its own 1024 and 200 are more than
# some containers give, and it needs two descriptors a worker.
_HEAD = """\
; Written by queuectl, again at each start and stop: changes are lost.
; supervisorctl -c {path} status

[supervisord]
pidfile=%(here)s/supervisord.pid
logfile=%(here)s/{logs}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
childlogdir=%(here)s
umask={umask}
minfds=256
minprocs=16
{user}
[unix_http_server]
file={socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""

# startsecs=0: with 1, four quick kills end in FATAL, and an early exit 78 is tried again. startretries is for a program
# that can't be executed (an upgrade is replacing it): an hour and a half, with ever longer pauses. Supervisor expands
# stdout_logfile twice, hence %%(here)s. Only the KILL goes to the group: a stop is the worker's business.
_PROGRAM = """
[program:{prefix}{name}]
command={command}
autostart=true
autorestart=unexpected
exitcodes={refused}
startsecs=0
startretries=100
stopsignal=TERM
stopwaitsecs={wait}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def config_path(site: Site) -> str:
    return f"{site.supervisor}/supervisord.conf"


def render(site: Site, units: Iterable[WorkerUnit], socket: str) -> str:
    """The text of supervisord.conf that runs `units`, and listens on `socket`.

    Raises:
        ConfigError: a path or a pool's name can't be written in it.
    """
    logs = os.path.relpath(site.logs, site.supervisor)
    once = plain(logs, "the directory of the logs")
    text = _HEAD.format(
        # In a comment: whatever is in the path, it must stay on its line.
        path=command_line([config_path(site)], "the home").replace("%%", "%"),
        logs=once,
        umask="027" if site.shared else "077",
        user="" if site.user is None else f"user={plain(site.user, 'the owner of the home')}\n",
        socket=_socket(site, socket),
    )
    twice = once.replace("%", "%%")
    return text + "".join(program(site, unit, f"%%(here)s/{twice}/{unit.name}.log") for unit in sorted(set(units)))


def program(site: Site, unit: WorkerUnit, log: str) -> str:
    """The section of one worker; its `log` is written as it stands.

    Raises:
        ConfigError: a path or the pool's name can't be written in it.
    """
    if not _POOL.fullmatch(unit.pool):
        raise ConfigError(
            [Problem(f"pool {unit.pool!r}", "expected letters, digits, dots, dashes and underscores in its name")]
        )
    argv = (*limits.prefix(site.pool(unit.pool)), *command(site, unit))
    return _PROGRAM.format(
        prefix=PREFIX,
        name=unit.name,
        command=command_line(argv, f"worker {unit.name}"),
        refused=CONFIG_REFUSED,
        wait=stop_wait(site),
        log=log,
    )


def _socket(site: Site, socket: str) -> str:
    if os.path.dirname(socket) == site.supervisor:
        return f"%(here)s/{os.path.basename(socket)}"
    return plain(socket, "the socket of supervisord")
