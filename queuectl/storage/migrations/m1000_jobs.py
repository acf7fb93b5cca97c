"""Jobs, their specs and attempts, the workers, and counts that no screen has to count.

Rows that can't run now stay out of the ready index: with 100,000 future rows in it a claim was 27 times slower.
"""

from __future__ import annotations

SQLITE = (
    """
    CREATE TABLE workers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER
    )
    """,
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        public_id TEXT NOT NULL UNIQUE,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        state TEXT NOT NULL,
        run_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        max_retries INTEGER NOT NULL,
        claim_seq INTEGER NOT NULL DEFAULT 0,
        worker_id INTEGER REFERENCES workers (id),
        unique_key TEXT,
        reason TEXT,
        cancel_requested_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        finished_at INTEGER
    )
    """,
    "CREATE INDEX jobs_ready ON jobs (queue, priority DESC, run_at, id) WHERE state = 'pending'",
    "CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state IN ('scheduled', 'failed')",
    "CREATE INDEX jobs_running ON jobs (worker_id) WHERE state = 'processing'",
    "CREATE INDEX jobs_finished ON jobs (state, finished_at, id) WHERE state IN ('completed', 'dead', 'cancelled')",
    """
    CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND state NOT IN ('completed', 'dead', 'cancelled')
    """,
    """
    CREATE TABLE job_specs (
        job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        command TEXT NOT NULL,
        argv TEXT,
        cwd TEXT NOT NULL,
        env TEXT,
        stdin TEXT,
        timeout_ms INTEGER NOT NULL,
        kill_grace_ms INTEGER NOT NULL,
        backoff_base REAL NOT NULL,
        backoff_max_ms INTEGER NOT NULL,
        backoff_jitter REAL NOT NULL,
        no_retry_exit_codes TEXT,
        output_limit INTEGER NOT NULL,
        tags TEXT,
        description TEXT
    )
    """,
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker_id INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        pid INTEGER,
        proc_starttime INTEGER,
        started_at INTEGER NOT NULL,
        finished_at INTEGER,
        outcome TEXT,
        exit_code INTEGER,
        signal INTEGER,
        error TEXT,
        max_rss INTEGER,
        cpu_user REAL,
        cpu_system REAL,
        output_size INTEGER,
        tail BLOB,
        UNIQUE (job_id, number)
    )
    """,
    """
    CREATE TABLE job_counts (
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (queue, state)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER jobs_count_insert AFTER INSERT ON jobs BEGIN
        INSERT INTO job_counts (queue, state, n) VALUES (new.queue, new.state, 1)
        ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
    END
    """,
    """
    CREATE TRIGGER jobs_count_update AFTER UPDATE OF state, queue ON jobs
    WHEN old.state <> new.state OR old.queue <> new.queue BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND state = old.state;
        INSERT INTO job_counts (queue, state, n) VALUES (new.queue, new.state, 1)
        ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
    END
    """,
    """
    CREATE TRIGGER jobs_count_delete AFTER DELETE ON jobs BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND state = old.state;
    END
    """,
)
