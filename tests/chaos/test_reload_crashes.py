"""kill -9 at any point of a reload: before the exec, at it, after it; the running job comes to its end, and once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from building import build
from checker import Findings, check_executions, read_trace
from real_home import Home, until

DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reload_driver.py")
POINTS = [*(f"asked:{n}" for n in (1, 2, 3)), "leaving:1", *(f"begun:{n}" for n in range(1, 13))]


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build("tracer", str(tmp_path_factory.mktemp("tracer")))


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_in_its_reload_loses_nothing(home: Home, tracer: str, point: str, tmp_path: Path) -> None:
    trace = str(tmp_path / "trace")
    first = home.enqueue([tracer, trace, "700", "0", "setsid"], backoff_base=1, backoff_max=0.1)
    environment = {**home.environment, "CHAOS_POINT": point}
    worker = subprocess.Popen(
        [sys.executable, DRIVER, "worker", "run", "--instance", "0"],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: os.path.exists(trace), "the job to run")
        second = home.enqueue([tracer, trace, "10", "0", "plain"], backoff_base=1, backoff_max=0.1)
        worker.send_signal(signal.SIGHUP)
        assert worker.wait(20) == -signal.SIGKILL
    finally:
        worker.kill()
        worker.wait()
    home.cli("worker", "run", "--drain")
    assert [home.queue.get(job).state.value for job in (first, second)] == ["completed", "completed"]
    findings = Findings()
    for job, executions in read_trace(trace).items():
        check_executions(job, executions, findings)
        assert len(executions) <= home.queue.get(job).attempts  # one may have been killed before its start
    assert not any(findings.kinds.values()), findings.kinds
    assert os.listdir(os.path.join(home.path, "output")) in ([], [first])
