"""The commands of the ancestor's manual that need no workers, as they stand there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Cli

SCRIPTS = [
    "queuectl --help",
    """echo '{"command": "echo Hello World"}' > my_job.json
queuectl enqueue my_job.json
queuectl enqueue --file my_job.json
queuectl enqueue -f my_job.json""",
    """queuectl enqueue '{"command": "echo Hello World"}'
queuectl enqueue '{"id": "my-job-1", "command": "sleep 5", "max_retries": 5, "timeout": 30}'""",
    r'queuectl enqueue "{\"command\": \"echo Hello World\"}"',
    """queuectl status
queuectl list
queuectl list --state pending
queuectl list --state completed
queuectl list --state failed
queuectl list --limit 10
queuectl list --verbose""",
    """queuectl dlq list
queuectl dlq list --verbose
queuectl dlq stats
queuectl dlq stats --verbose
queuectl dlq retry
queuectl dlq remove
queuectl dlq remove --yes""",
    """queuectl init --examples
queuectl enqueue job_template.json
queuectl enqueue simple_job.json
queuectl enqueue python_job.json
queuectl enqueue test_job.json""",
    """queuectl enqueue --validate '{"command": "echo test"}'""",
    """queuectl worker status
queuectl worker stop
queuectl worker stop --force
queuectl worker stop --timeout 60""",
    """queuectl config show
queuectl config set max_retries 5
queuectl config set backoff_base 3.0
queuectl config set worker_timeout 600
queuectl config reset --yes""",
    r"""queuectl enqueue '{
  "command": "python -c \"import time; print(\\\"Processing...\\\"); time.sleep(2); print(\\\"Done!\\\")\"",
  "timeout": 10
}'""",
    """printf 'true\\necho two\\n' > jobs.txt
cat jobs.txt | while read cmd; do
  queuectl enqueue "{\\"command\\": \\"$cmd\\"}"
done""",
    """for i in 1 2 3 4 5; do
  queuectl enqueue "{\\"command\\": \\"sleep $i\\"}"
done
test "$(queuectl list -o id | wc -l)" = 5""",
    "queuectl list --json | python3 -c 'import json, sys; json.load(sys.stdin)'",
    """queuectl enqueue '{"id": "job-id-here", "command": "exit 1", "max_retries": 0}'
queuectl worker run --drain
queuectl dlq list
queuectl dlq retry job-id-here
queuectl worker run --drain
queuectl dlq retry job-id-here --keep-attempts
queuectl worker run --drain
queuectl dlq remove job-id-here""",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_works_as_it_stands(cli: Cli, script: str) -> None:
    env = {**cli.env, "PATH": f"{Path(PROGRAM).parent}:{cli.env['PATH']}"}
    done = subprocess.run(
        ["sh", "-e", "-c", script], env=env, cwd=cli.directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    assert "queuectl: error" not in done.stderr, done
