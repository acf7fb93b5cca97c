"""The command lines that people have learnt from the ancestor's manual. Each has its case here.

Left out, since they can't stand as they are: its demo and its templates, which became commands; PowerShell; fetching
the source; starting it from within Python. `pip install` and its kin are tried on a bare machine, in tests/bare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PYTHON_JOB = r"""queuectl enqueue '{
  "command": "python -c \"import time; print(\\\"Processing...\\\"); time.sleep(2); print(\\\"Done!\\\")\"",
  "timeout": 10
}'"""
LOOP = r"""for i in {1..5}; do
  queuectl enqueue "{\"command\": \"sleep $i\"}"
done"""
READING_LOOP = r"""cat jobs.txt | while read cmd; do
  queuectl enqueue "{\"command\": \"$cmd\"}"
done"""

LINES = {
    "queuectl --help",
    "queuectl enqueue my_job.json",
    "queuectl enqueue --file my_job.json",
    "queuectl enqueue -f my_job.json",
    "queuectl enqueue -f custom_job.json",
    "queuectl enqueue job.json",
    "queuectl enqueue test_job.json",
    "queuectl enqueue job_template.json",
    """queuectl enqueue '{"command": "echo Hello World"}'""",
    """queuectl enqueue '{"id": "my-job-1", "command": "sleep 5", "max_retries": 5, "timeout": 30}'""",
    """queuectl enqueue '{"command": "python script.py"}'""",
    """queuectl enqueue '{"command": "echo Testing QueueCTL"}'""",
    """queuectl enqueue '{"command": "nonexistent-command", "max_retries": 2}'""",
    """queuectl enqueue --validate '{"command": "echo test"}'""",
    PYTHON_JOB,
    LOOP,
    READING_LOOP,
    "queuectl worker start",
    "queuectl worker start --count 3",
    "queuectl worker start --count 5",
    "queuectl worker start --no-detach",
    "queuectl worker stop",
    "queuectl worker stop --force",
    "queuectl worker stop --timeout 60",
    "queuectl worker status",
    "queuectl status",
    "queuectl list",
    "queuectl list --state pending",
    "queuectl list --state completed",
    "queuectl list --state failed",
    "queuectl list --limit 10",
    "queuectl list --verbose",
    "queuectl dlq list",
    "queuectl dlq list --verbose",
    "queuectl dlq stats",
    "queuectl dlq retry job-id-here",
    "queuectl dlq retry",
    "queuectl dlq retry job-id-here --keep-attempts",
    "queuectl dlq remove job-id-here",
    "queuectl dlq remove",
    "queuectl dlq remove --yes",
    "queuectl config show",
    "queuectl config set max_retries 5",
    "queuectl config set backoff_base 3.0",
    "queuectl config set worker_timeout 600",
    "queuectl config reset --yes",
    "ls -la ~/.queuectl/",
    "rm -rf ~/.queuectl/",
    "python tests/test_validation.py",
    "python tests/test_basic.py",
    "python tests/test_dlq.py",
    # What took the place of a line that can't stand.
    "queuectl demo",
    "queuectl init --examples",
    """queuectl list --json | jq '.[] | select(.state == "completed")'""",
    # The same key as it is spelt elsewhere, and the home as people type it.
    "queuectl config set max-retries 5",
    "rm -rf ~/.queuectl",
}

covered: set[str] = set()


def manual(*lines: str) -> Callable[[Any], Any]:
    """The test takes each of these lines, as `line`."""
    covered.update(lines)
    return pytest.mark.parametrize("line", lines, ids=[" ".join(line.split()) for line in lines])
