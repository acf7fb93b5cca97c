"""Who did what, and who enqueued a job."""

from __future__ import annotations

SQLITE = (
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT,
        count INTEGER NOT NULL
    )
    """,
    "ALTER TABLE job_specs ADD COLUMN enqueued_by TEXT",
)
