"""The settings of an installation: every value resolved, checked and typed. Durations are seconds, sizes bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Pool(NamedTuple):
    """A named set of identical workers."""

    name: str
    workers: int = 1
    concurrency: int = 1
    """How many jobs each worker runs at once."""
    queues: tuple[str, ...] | None = None
    """The queues that it serves; None = all."""
    env: Mapping[str, str] = {}
    """Added to the environment of its jobs."""
    user: str = ""
    """Whom its workers run as; empty = the service's user."""
    group: str = ""
    """Empty = the user's own."""
    nice: int = 0
    memory_max: int = 0
    """Of each worker with its jobs; 0 = no limit, as in the next two."""
    cpu_quota: int = 0
    """In percent of one CPU."""
    tasks_max: int = 0
    """Processes and threads."""
    environment_file: str = ""
    hardening: str = "auto"
    """`compatible` or `strict`; `auto` = what the service says."""
    directives: Mapping[str, str] = {}
    """Further directives of the systemd unit, as they stand there."""


class Service(NamedTuple):
    """Who runs the workers, and how."""

    manager: str = "auto"
    user: str = ""
    """Whom the workers run as; empty = the owner of the home."""
    hardening: str = "compatible"
    supervisord_config: str = ""
    """The configuration of the system's supervisord; empty = the private one."""


class Settings(NamedTuple):
    """One field a key, named as in the YAML; the defaults are the built-in ones."""

    database: str = ""
    """A URL, `sqlite:////path`; empty = queue.db in the home."""
    share_with: str = ""
    """A group whose members may enqueue and look; empty = nobody but the owner."""
    max_retries: int = 3
    backoff_base: float = 2.0
    backoff_max: float = 3600.0
    backoff_jitter: float = 0.1
    worker_timeout: float = 300.0
    """How long a job may run; 0 = no limit."""
    job_lock_timeout: float = 300.0
    """How long a worker's beat may stand still before it counts as hung."""
    max_workers: int = 10
    """Processes of all pools together."""
    max_jobs_per_worker: int = 0
    """After so many a worker begins anew, by a reload; 0 = never, as in the next."""
    max_memory_per_worker: int = 0
    cleanup_completed_after_hours: float = 24.0
    """When completed and cancelled jobs are forgotten; 0 = never."""
    retention_dead: float = 30 * 86400.0
    """When dead jobs are forgotten; 0 = never."""
    retention_audit: float = 30 * 86400.0
    """When the record of who did what is forgotten; 0 = never."""
    backup_every: float = 86400.0
    """How often the database is copied to the home's `backups`; 0 = never."""
    backup_keep: int = 7
    """How many of these copies are kept."""
    log_level: str = "info"
    shutdown_timeout: float = 60.0
    """How long running jobs may take to end when their worker stops."""
    kill_grace: float = 10.0
    """Between TERM and KILL."""
    output_limit: int = 10 * 2**20
    min_free_space: int = 64 * 2**20
    """Below it nothing is claimed."""
    synchronous: str = "full"
    pools: Mapping[str, Pool] = {"default": Pool("default")}
    service: Service = Service()
