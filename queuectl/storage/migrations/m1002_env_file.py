"""Jobs whose variables stand in a file."""

from __future__ import annotations

SQLITE = ("ALTER TABLE job_specs ADD COLUMN env_file TEXT",)
