"""The numbered steps from an empty database to today's schema, and the numbers' meaning.

The version in the database is `major * 1000 + minor`. Within a major version steps only add, so an older queuectl
can serve a newer minor; a newer major is refused.
"""

from __future__ import annotations

from queuectl.storage.migrations import m1000_jobs, m1001_audit, m1002_env_file

STEPS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1000, m1000_jobs.SQLITE),
    (1001, m1001_audit.SQLITE),
    (1002, m1002_env_file.SQLITE),
)
"""(version after the step, its statements), in order."""

VERSION = STEPS[-1][0]
APPLICATION_ID = 0x71756575
"""In the file's header: "queu" in ASCII. Tells a queue from anybody's database."""


def major(version: int) -> int:
    """The part of a version that an older program can't read past."""
    return version // 1000
