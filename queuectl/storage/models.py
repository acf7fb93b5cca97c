"""The tables as Peewee models: what the screens query by. The schema itself is made by the migrations."""

from __future__ import annotations

import peewee


class JobRow(peewee.Model):
    """What the claim reads and writes: narrow on purpose."""

    id = peewee.AutoField()
    public_id = peewee.TextField(unique=True)
    queue = peewee.TextField()
    priority = peewee.IntegerField()
    state = peewee.TextField()
    run_at = peewee.BigIntegerField()
    attempts = peewee.IntegerField(default=0)
    max_retries = peewee.IntegerField()
    claim_seq = peewee.IntegerField(default=0)
    """Counts the claims; number of the latest attempt, and the fence of its finish."""
    worker_id = peewee.IntegerField(null=True)
    unique_key = peewee.TextField(null=True)
    reason = peewee.TextField(null=True)
    cancel_requested_at = peewee.BigIntegerField(null=True)
    created_at = peewee.BigIntegerField()
    updated_at = peewee.BigIntegerField()
    finished_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "jobs"


class SpecRow(peewee.Model):
    """What to run, and how: one a job, written once. Lists and maps are JSON."""

    job_id = peewee.IntegerField(primary_key=True)
    command = peewee.TextField()
    argv = peewee.TextField(null=True)
    cwd = peewee.TextField()
    env = peewee.TextField(null=True)
    env_file = peewee.TextField(null=True)
    stdin = peewee.TextField(null=True)
    timeout_ms = peewee.BigIntegerField()
    kill_grace_ms = peewee.BigIntegerField()
    backoff_base = peewee.DoubleField()
    backoff_max_ms = peewee.BigIntegerField()
    backoff_jitter = peewee.DoubleField()
    no_retry_exit_codes = peewee.TextField(null=True)
    output_limit = peewee.BigIntegerField()
    tags = peewee.TextField(null=True)
    description = peewee.TextField(null=True)
    enqueued_by = peewee.TextField(null=True)

    class Meta:
        table_name = "job_specs"


class AttemptRow(peewee.Model):
    """One execution."""

    id = peewee.AutoField()
    job_id = peewee.IntegerField()
    number = peewee.IntegerField()
    worker_id = peewee.IntegerField()
    slot = peewee.IntegerField()
    pid = peewee.IntegerField(null=True)
    proc_starttime = peewee.BigIntegerField(null=True)
    """Ticks since boot, of the kernel: with the pid, it names the process for good."""
    started_at = peewee.BigIntegerField()
    finished_at = peewee.BigIntegerField(null=True)
    outcome = peewee.TextField(null=True)
    exit_code = peewee.IntegerField(null=True)
    signal = peewee.IntegerField(null=True)
    error = peewee.TextField(null=True)
    max_rss = peewee.BigIntegerField(null=True)
    cpu_user = peewee.DoubleField(null=True)
    cpu_system = peewee.DoubleField(null=True)
    output_size = peewee.BigIntegerField(null=True)
    tail = peewee.BlobField(null=True)

    class Meta:
        table_name = "attempts"


class WorkerRow(peewee.Model):
    """One start of a worker: a new uuid every time."""

    id = peewee.AutoField()
    uuid = peewee.TextField(unique=True)
    name = peewee.TextField()
    host = peewee.TextField()
    boot_id = peewee.TextField()
    pid = peewee.IntegerField()
    started_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "workers"


class AuditRow(peewee.Model):
    """One thing that somebody did."""

    id = peewee.AutoField()
    at = peewee.BigIntegerField()
    actor = peewee.TextField()
    action = peewee.TextField()
    target = peewee.TextField(null=True)
    count = peewee.IntegerField()

    class Meta:
        table_name = "audit"


class CountRow(peewee.Model):
    """How many jobs a queue has in a state; kept by triggers."""

    queue = peewee.TextField()
    state = peewee.TextField()
    n = peewee.IntegerField()

    class Meta:
        table_name = "job_counts"
        primary_key = peewee.CompositeKey("queue", "state")
