"""The manual's lines about the configuration, and its scripts."""

from __future__ import annotations

import os
import subprocess
import sys

from manual_lines import manual

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFAULTS = {
    "max_retries": 3,
    "backoff_base": 2.0,
    "worker_timeout": 300,
    "cleanup_completed_after_hours": 24,
    "job_lock_timeout": 300,
    "max_workers": 10,
}


def values(shell) -> dict[str, object]:
    return {key: shell.document("queuectl config show")[key]["value"] for key in DEFAULTS}


@manual("queuectl config show")
def test_show_tells_all_settings(shell, line):
    assert values(shell) == DEFAULTS
    shown = dict(row.split()[:2] for row in shell(line).splitlines()[1:] if len(row.split()) > 1)
    assert set(DEFAULTS) <= set(shown)
    assert shown["max_retries"] == "3"


@manual("queuectl config set max_retries 5", "queuectl config set max-retries 5")
def test_a_new_retry_limit_is_for_the_next_job(shell, line):
    before = shell.enqueue("true")
    shell(line)
    after = shell.enqueue("true")
    assert (shell.job(before)["max_retries"], shell.job(after)["max_retries"]) == (3, 5)
    assert values(shell) == {**DEFAULTS, "max_retries": 5}


@manual("queuectl config set backoff_base 3.0")
def test_a_new_backoff_base_makes_the_next_job_wait_longer(shell, line):
    shell("queuectl config set backoff_jitter 0")
    shell("queuectl worker start")
    waits = []
    for command in ("true", line):
        shell(command)
        job = shell.in_state(shell.enqueue("exit 1"), "failed")
        waits.append(round(milliseconds(job["run_at"]) - milliseconds(job["attempts_log"][0]["finished_at"]), -2))
    assert waits == [2000, 3000]


def milliseconds(time: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000


@manual("queuectl config set worker_timeout 600")
def test_a_new_timeout_is_for_the_next_job(shell, line):
    before = shell.enqueue("true")
    shell(line)
    assert (shell.job(before)["timeout"], shell.job(shell.enqueue("true"))["timeout"]) == (300, 600)


@manual("queuectl config reset --yes")
def test_reset_brings_the_defaults_back(shell, line):
    for setting in ("max_retries 5", "backoff_base 3.0", "worker_timeout 600"):
        shell(f"queuectl config set {setting}")
    assert values(shell) != DEFAULTS
    shell(line)
    assert values(shell) == DEFAULTS
    assert shell.job(shell.enqueue("true"))["max_retries"] == 3


@manual("python tests/test_validation.py", "python tests/test_basic.py", "python tests/test_dlq.py")
def test_the_scripts_print_what_they_checked(shell, line):
    script = os.path.join(REPOSITORY, line.split()[1])
    done = subprocess.run(
        [sys.executable, script], cwd=shell.directory, env=shell.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([row for row in done.stdout.splitlines() if row.startswith("✓ ")]) >= 4
    assert "✗" not in done.stdout
