"""The units, as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from queuectl.domain.settings import Pool
from queuectl.errors import ConfigError, Problem
from queuectl.services.manager import CONFIG_REFUSED, Site, WorkerUnit, command, stop_wait
from queuectl.services.systemd import hardening
from queuectl.services.systemd.escaping import command_line, comment, path, paths
from queuectl.services.systemd.scope import Scope

TARGET = "queuectl.target"
SLICE = "queuectl.slice"
PREFIX = "queuectl-"

_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_RESERVED = re.compile(
    r"Exec[A-Za-z]*|Type|NotifyAccess|Restart[A-Za-z]*|KillMode|KillSignal|SendSIGKILL|Timeout(Stop|Abort)?Sec|"
    r"Watchdog[A-Za-z]*|PIDFile|User|Group|Slice|Nice|MemoryMax|CPUQuota|TasksMax|EnvironmentFile|OOMPolicy|"
    r"RemainAfterExit|GuessMainPID|DynamicUser|SuccessExitStatus|RestartForceExitStatus"
)
"""What queuectl writes itself, or a key has, or would end in a service that isn't one."""

_HEADER = """\
# Written by `queuectl service install` for {home}.
# What you change here is refused by the next one: change the YAML, or add a drop-in, which is kept:
#   systemctl edit {unit}
"""

# A worker that hangs, or is stopped, heeds no signal but KILL. HUP and TERM are clean exits to systemd, hence always.
# The limit of starts is off: twenty kills in a row must not end the service, and the worker pauses before an end that
# nobody foresaw. There is no RuntimeDirectory: the first instance that stops would take it from under the others.
_SERVICE = """\
{header}
[Unit]
Description=queuectl worker {pool}-%i
PartOf=queuectl.target
After=network.target
RequiresMountsFor={mounts}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory=/
Slice=queuectl.slice
Restart=always
RestartSec=200ms
RestartPreventExitStatus={refused}
KillMode=mixed
TimeoutStopSec={wait}
WatchdogSec={patience}
WatchdogSignal=SIGKILL
OOMPolicy=continue
{limits}"""

_TARGET = """\
{header}
[Unit]
Description=The workers of queuectl
Wants={wants}

[Install]
WantedBy={boot}
"""

_SLICE = """\
{header}
[Unit]
Description=The workers of queuectl and their jobs
"""


def template(pool: str) -> str:
    """The name of a pool's unit."""
    return f"{PREFIX}{pool}@.service"


def name(unit: WorkerUnit) -> str:
    """The name of a worker's unit."""
    return f"{PREFIX}{unit.pool}@{unit.instance}.service"


def parse(text: str) -> WorkerUnit | None:
    """The worker whose unit is called so; None if it is none."""
    pool, at, number = text.removeprefix(PREFIX).removesuffix(".service").partition("@")
    found = WorkerUnit.parse(f"{pool}-{number}") if at else None
    return found if found is not None and name(found) == text else None


def render(site: Site, scope: Scope, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
    """The unit files by path: one a pool, the target, the slice.

    Raises:
        ConfigError: a setting can't be written in a unit, or systemd can't do it here.
    """
    pools = sorted({*site.pools, *(unit.pool for unit in units)})
    wants = " ".join(name(unit) for unit in sorted(set(units)))
    files = {template(pool): _service(site, scope, site.pool(pool)) for pool in pools}
    files[TARGET] = _TARGET.format(header=_header(site, TARGET), wants=wants, boot=scope.boot)
    files[SLICE] = _SLICE.format(header=_header(site, SLICE))
    return {f"{scope.directory}/{unit}": text for unit, text in files.items()}


def _service(site: Site, scope: Scope, pool: Pool) -> str:
    where = f"pools.{pool.name}"
    if not _POOL.fullmatch(pool.name):
        raise ConfigError(
            [Problem(f"pool {pool.name!r}", "expected letters, digits, dashes and underscores in its name")]
        )
    # The instance's number is systemd's to fill in.
    *argv, _ = command(site, WorkerUnit(pool.name, 0))
    return _SERVICE.format(
        header=_header(site, template(pool.name)),
        pool=pool.name,
        mounts=paths(dict.fromkeys((site.home, site.database or site.home)), where),
        command=f"{command_line(argv, where)} %i",
        refused=CONFIG_REFUSED,
        wait=stop_wait(site),
        patience=math.ceil(site.patience),
        limits=_account(site, scope, pool) + _limits(pool, where) + _hardening(site, scope, pool) + _directives(pool),
    )


def _account(site: Site, scope: Scope, pool: Pool) -> str:
    user = pool.user or site.account
    if user != site.account:
        raise ConfigError(
            [Problem(f"pools.{pool.name}.user", f"expected {site.account}, whose the SQLite file is, got {user}")],
            hint="leave it out, or set service.user for all pools",
        )
    if site.owner not in (None, site.account):
        raise ConfigError(
            [Problem("service.user", f"expected {site.owner}, whom {site.home} belongs to, got {site.account}")],
            hint=f"chown -R {site.account}: {site.home}",
        )
    if not scope.person:
        return f"User={user}\n" + (f"Group={pool.group}\n" if pool.group else "")
    if pool.group:
        raise ConfigError(
            [Problem(f"pools.{pool.name}.group", f"expected none in the systemd of {user}, got {pool.group}")]
        )
    return ""


def _limits(pool: Pool, where: str) -> str:
    lines = [
        ("Nice", str(pool.nice) if pool.nice else ""),
        ("MemoryMax", str(pool.memory_max) if pool.memory_max else ""),
        ("CPUQuota", f"{pool.cpu_quota}%" if pool.cpu_quota else ""),
        ("TasksMax", str(pool.tasks_max) if pool.tasks_max else ""),
        (
            "EnvironmentFile",
            path(pool.environment_file, f"{where}.environment_file") if pool.environment_file else "",
        ),
    ]
    return "".join(f"{directive}={value}\n" for directive, value in lines if value)


def _hardening(site: Site, scope: Scope, pool: Pool) -> str:
    profile = site.hardening if pool.hardening == "auto" else pool.hardening
    if profile == "strict" and scope.person:
        raise ConfigError(
            [Problem(f"pools.{pool.name}.hardening", "expected compatible in the systemd of a person, got strict")],
            hint="what strict takes away, only the system's systemd can: install as root, with service.user",
        )
    return hardening.lines(profile, site, f"pools.{pool.name}")


def _directives(pool: Pool) -> str:
    for directive in pool.directives:
        if _RESERVED.fullmatch(directive):
            raise ConfigError(
                [
                    Problem(
                        f"pools.{pool.name}.directives.{directive}", "expected one that queuectl doesn't write itself"
                    )
                ],
                hint="where a key of the pool says it (nice, memory_max, …), use that; else a drop-in: systemctl edit",
            )
    return "".join(f"{directive}={value}\n" for directive, value in sorted(pool.directives.items()))


def _header(site: Site, unit: str) -> str:
    return _HEADER.format(home=comment(site.home, "the home"), unit=unit)
