"""The table of keys, as data: what each expects, its default, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from queuectl.config.kinds import (
    NOT_BUILT,
    Kind,
    choice,
    database_url,
    duration,
    environment_value,
    number,
    queue_names,
    size,
    whole,
)
from queuectl.config.service_kinds import account, directive, path, percent
from queuectl.config.spelling import did_you_mean
from queuectl.domain.settings import Pool, Service, Settings


class Key(NamedTuple):
    """One setting."""

    kind: Kind
    default: Any
    doc: str


class Section(NamedTuple):
    """A mapping with a fixed set of keys."""

    keys: Mapping[str, Entry]
    later: frozenset[str] = frozenset()
    """Keys of what isn't built yet: refused as such, never ignored."""

    def step(self, path: str, name: str) -> tuple[str, Entry]:
        """The dotted name and the entry of the key `name` in the section at `path`; a hyphen reads as an underscore.

        Raises:
            ValueError: there is no such key, or not yet.
        """
        key = name.replace("-", "_")
        if key in self.keys:
            return _join(path, key), self.keys[key]
        if key in self.later:
            raise ValueError(f"{_join(path, key)!r} {NOT_BUILT}: leave it out")
        known = [full for full, _ in listed()]
        if key in known:
            section, _, last = key.rpartition(".")
            raise ValueError(f"unknown key {name!r}; write it as {section}: {{{last}: …}}")
        elsewhere = [full for full in known if full.endswith(f".{key}")]
        hint = f"; it belongs to {elsewhere[0]}" if elsewhere else did_you_mean(key, self.keys)
        raise ValueError(f"unknown key {_join(path, name)[:120]!r}{hint}")


class Named(NamedTuple):
    """A mapping whose keys are names that the user gives."""

    each: Entry
    pattern: re.Pattern[str]
    expects: str
    placeholder: str

    def step(self, path: str, name: str) -> tuple[str, Entry]:
        """As `Section.step`; the name is taken as it is.

        Raises:
            ValueError: it can't be a name here.
        """
        if not self.pattern.fullmatch(name):
            raise ValueError(f"{path}: expected {self.expects}, got {name[:80]!r}")
        return _join(path, name), self.each


Entry = Key | Section | Named

_BUILT_IN = Settings()
_POOL = Pool("")
_SERVICE = Service()

POOL = Section(
    {
        "workers": Key(whole(0, 1000), _POOL.workers, "How many worker processes the pool has; 0 turns it off."),
        "concurrency": Key(whole(1, 64), _POOL.concurrency, "How many jobs each worker runs at once."),
        "queues": Key(queue_names(), _POOL.queues, "The queues that the pool serves."),
        "env": Named(
            Key(environment_value(), None, "A variable added to the environment of the pool's jobs."),
            re.compile(r"[^=\0\s]{1,255}"),
            "the name of an environment variable",
            "VARIABLE",
        ),
        "user": Key(account(), _POOL.user, "Whom its workers run as; empty = as service.user says."),
        "group": Key(account(), _POOL.group, "Their group; empty = the user's own (systemd)."),
        "nice": Key(whole(-20, 19), _POOL.nice, "How much they yield to other processes; below 0 only by systemd."),
        "memory_max": Key(
            size(), _POOL.memory_max, "The most memory of a worker with its jobs; 0 = no limit (systemd)."
        ),
        "cpu_quota": Key(
            percent(), _POOL.cpu_quota, "The most CPU of a worker with its jobs, 100% = one; 0% = no limit (systemd)."
        ),
        "tasks_max": Key(
            whole(0, 10**7), _POOL.tasks_max, "The most processes and threads of a worker; 0 = the system's (systemd)."
        ),
        "environment_file": Key(
            path(), _POOL.environment_file, "A file of variables for its workers and jobs, VAR=value a line (systemd)."
        ),
        "hardening": Key(
            choice("auto", "compatible", "strict"),
            _POOL.hardening,
            "How its units are hardened; auto = as service.hardening says.",
        ),
        "directives": Named(
            Key(directive(), None, "A further directive of the pool's units, as it stands there (systemd)."),
            re.compile(r"[A-Z][A-Za-z]{1,63}"),
            "the name of a directive in [Service], as LimitNOFILE",
            "DIRECTIVE",
        ),
    },
    later=frozenset(
        {
            *("umask", "memory_high", "cpus", "cpu_weight", "io_class", "io_weight"),
            *("memory_limit", "cpu_limit", "resources", "limits"),
        }
    ),
)

ROOT = Section(
    {
        "database": Key(database_url(), _BUILT_IN.database, "Where the jobs are kept; empty = queue.db in the home."),
        "share_with": Key(
            account(),
            _BUILT_IN.share_with,
            "A group whose members may enqueue and look, but not configure; empty = nobody but the owner.",
        ),
        "max_retries": Key(
            whole(0, 1000), _BUILT_IN.max_retries, "Retries after the first attempt; 0 = each job runs once."
        ),
        "backoff_base": Key(
            number(1, 1000), _BUILT_IN.backoff_base, "The delay before retry n is this to the power of n, in seconds."
        ),
        "backoff_max": Key(duration(), _BUILT_IN.backoff_max, "The longest delay before a retry."),
        "backoff_jitter": Key(
            number(0, 1), _BUILT_IN.backoff_jitter, "The part by which a delay varies at random: 0.1 = ± 10 %."
        ),
        "worker_timeout": Key(duration(), _BUILT_IN.worker_timeout, "How long a job may run; 0 = no limit."),
        "job_lock_timeout": Key(
            duration(1), _BUILT_IN.job_lock_timeout, "How long a worker may show no sign of life before it is killed."
        ),
        "max_workers": Key(whole(1, 1000), _BUILT_IN.max_workers, "The most worker processes of all pools together."),
        "max_jobs_per_worker": Key(
            whole(0, 1_000_000_000),
            _BUILT_IN.max_jobs_per_worker,
            "After so many jobs a worker begins anew, while those that run go on; 0 = never.",
        ),
        "max_memory_per_worker": Key(
            size(),
            _BUILT_IN.max_memory_per_worker,
            "The same when a worker itself, without its jobs, takes more memory; 0 = never.",
        ),
        "cleanup_completed_after_hours": Key(
            number(0, 876_000, "a number of hours"),
            _BUILT_IN.cleanup_completed_after_hours,
            "When completed and cancelled jobs are forgotten, with their output, in hours; 0 = never.",
        ),
        "retention": Section(
            {
                "dead": Key(
                    duration(), _BUILT_IN.retention_dead, "When dead jobs are forgotten, with their output; 0 = never."
                ),
                "audit": Key(
                    duration(), _BUILT_IN.retention_audit, "When the record of who did what is forgotten; 0 = never."
                ),
            },
            later=frozenset({"completed", "cancelled", "attempts", "output"}),
        ),
        "backup": Section(
            {
                "every": Key(
                    duration(),
                    _BUILT_IN.backup_every,
                    "How often a worker copies the database to `backups` in the home; 0 = never.",
                ),
                "keep": Key(whole(1, 10_000), _BUILT_IN.backup_keep, "How many of these copies are kept."),
            }
        ),
        "log_level": Key(
            choice("debug", "info", "warning", "error"), _BUILT_IN.log_level, "The least that a worker's log says."
        ),
        "shutdown_timeout": Key(
            duration(), _BUILT_IN.shutdown_timeout, "How long running jobs may take to end when their worker stops."
        ),
        "kill_grace": Key(duration(), _BUILT_IN.kill_grace, "How long a job has between TERM and KILL."),
        "output_limit": Key(
            size(4096), _BUILT_IN.output_limit, "The most of a job's output that is kept: its head and its tail."
        ),
        "min_free_space": Key(
            size(), _BUILT_IN.min_free_space, "With less free space on the disk of the home, no job is started."
        ),
        "synchronous": Key(
            choice("full", "normal", "off"),
            _BUILT_IN.synchronous,
            "What a power cut may cost: full = nothing, normal = the last moments, off = the database.",
        ),
        "pools": Named(
            POOL,
            re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"),
            "a pool's name (letters, digits, _ and -, at most 32, the first a letter or a digit)",
            "NAME",
        ),
        "service": Section(
            {
                "manager": Key(
                    choice("auto", "supervisord", "systemd"),
                    _SERVICE.manager,
                    "Who runs the workers; auto = for whom `service install` wrote, else a supervisord of our own.",
                ),
                "user": Key(account(), _SERVICE.user, "Whom the workers run as; empty = the owner of the home."),
                "hardening": Key(
                    choice("compatible", "strict"),
                    _SERVICE.hardening,
                    "compatible = jobs can do what their user can; strict = no more than most jobs need (systemd).",
                ),
                "supervisord_config": Key(
                    path(),
                    _SERVICE.supervisord_config,
                    "The configuration of the system's supervisord, to use it; empty = a supervisord of our own.",
                ),
            },
            later=frozenset({"group", "nice", "slice"}),
        ),
    },
    later=frozenset({"queues", "schedules", "templates", "webhooks", "web", "metrics", "output_total_limit"}),
)


def listed(entry: Entry = ROOT, path: str = "") -> Iterator[tuple[str, Key]]:
    """Every key by its dotted name, in the order of the table: `max_retries`, `pools.NAME.workers`."""
    if isinstance(entry, Key):
        yield path, entry
    elif isinstance(entry, Named):
        yield from listed(entry.each, _join(path, entry.placeholder))
    else:
        for name, child in entry.keys.items():
            yield from listed(child, _join(path, name))


def find(name: str) -> tuple[str, Entry]:
    """The canonical dotted name, and the entry, of `max-retries`, `pools.default.workers`, `pools.default`, `pools`.

    Raises:
        ValueError: there is no such key; the message says which is near.
    """
    path, entry = "", ROOT  # type: tuple[str, Entry]
    # The fourth part is the name of an environment variable, which may have dots.
    for part in name.split(".", 3):
        if isinstance(entry, Key):
            raise ValueError(f"unknown key {name[:120]!r}; {path!r} has no keys of its own")
        path, entry = entry.step(path, part)
    return path, entry


def show(name: str, value: object) -> str:
    """A value of the key `name` as people write it, and as `config set` reads it: `5m`, `10MiB`, `[video, backup]`."""
    entry = find(name)[1]
    plain = entry.kind.show(value) if isinstance(entry, Key) else value
    return f"[{', '.join(map(str, plain))}]" if isinstance(plain, list) else str(plain)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
