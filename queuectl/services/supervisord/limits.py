"""What of a pool's settings supervisord can hold, and what it can't."""

from __future__ import annotations

from collections.abc import Iterable

from queuectl.domain.settings import Pool
from queuectl.errors import ConfigError, Problem
from queuectl.services.manager import Site


def check(site: Site, pools: Iterable[Pool]) -> None:
    """See that nothing is asked that wouldn't come true.

    Raises:
        ConfigError: with all that can't be.
    """
    problems = [problem for pool in pools for problem in _problems(site, pool)]
    if site.owner not in (None, site.account):
        problems.append(Problem("service.user", f"expected {site.owner}, who owns {site.home}, got {site.account}"))
    if problems:
        raise ConfigError(problems, hint="leave them out, or have systemd run the workers: service.manager systemd")


def prefix(pool: Pool) -> tuple[str, ...]:
    """What stands before a worker's argv. It execs, so that the PID is the worker's."""
    return ("nice", "-n", str(pool.nice)) if pool.nice else ()


def _problems(site: Site, pool: Pool) -> Iterable[Problem]:
    hardening = site.hardening if pool.hardening == "auto" else pool.hardening
    asked: dict[str, object] = {
        "group": pool.group,
        "nice": pool.nice if pool.nice < 0 else 0,
        "memory_max": pool.memory_max,
        "cpu_quota": pool.cpu_quota,
        "tasks_max": pool.tasks_max,
        "environment_file": pool.environment_file,
        "hardening": hardening if hardening != "compatible" else "",
        **{f"directives.{name}": value for name, value in pool.directives.items()},
    }
    for key, value in asked.items():
        if value:
            yield Problem(
                f"pools.{pool.name}.{key}", f"expected none under supervisord, which can't hold it, got {value}"
            )
    if pool.user and pool.user != site.account:
        yield Problem(f"pools.{pool.name}.user", f"expected {site.account}, whose the SQLite file is, got {pool.user}")
