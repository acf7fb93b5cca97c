"""A queuectl whose retries are broken doesn't pass tests/test_validation.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import queuectl

PACKAGE = os.path.dirname(os.path.abspath(queuectl.__file__))
SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "test_validation.py")
RETRIED, EXHAUSTED = "failed jobs are retried with exponential backoff", "exhausted jobs are in the DLQ"
HOPELESS = "if final or attempts > max_retries else"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("right", "wrong", "failing"),
    [
        pytest.param(HOPELESS, "if attempts else", [RETRIED, EXHAUSTED], id="a failure is the end"),
        pytest.param(HOPELESS, "if final else", [EXHAUSTED], id="there is no end", marks=pytest.mark.soak),
        pytest.param("base**retry", "base", [RETRIED], id="backoff doesn't grow", marks=pytest.mark.soak),
        pytest.param("return max(0.0,", "return min(0.0,", [RETRIED], id="no backoff", marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_the_script_finds_it(tmp_path, right, wrong, failing):
    shutil.copytree(PACKAGE, tmp_path / "queuectl", ignore=shutil.ignore_patterns("__pycache__"))
    broken = tmp_path / "queuectl" / "domain" / "retry.py"
    text = broken.read_text()
    assert text.count(right) == 1
    broken.write_text(text.replace(right, wrong))
    done = subprocess.run(
        [sys.executable, SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert all(f"✗ {name}" in done.stdout for name in failing), done.stdout + done.stderr
    assert "✓ jobs are stored" in done.stdout
