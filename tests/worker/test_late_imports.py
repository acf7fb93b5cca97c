"""A worker imports all it needs at its start: a module read after an upgrade would be of another version."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


@pytest.mark.timeout(60)
def test_nothing_of_queuectl_is_imported_once_the_worker_serves(home):
    jobs = [
        home.enqueue("exit 1", max_retries=1, backoff_base=1, backoff_max=0),
        home.enqueue("sleep 60", timeout="300ms", max_retries=0, kill_grace="100ms"),
        home.enqueue(["no-such-program"], max_retries=0),
        home.enqueue("head -c 100000 /dev/zero", output_limit="16KiB"),
        home.enqueue("setsid sleep 60 & exit 0", kill_grace="100ms"),
        home.enqueue("cat", stdin="text"),
    ]
    cancelled = home.enqueue("sleep 60")
    settings = {"QUEUECTL_LOG_LEVEL": "debug"}
    worker = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "queuectl", "worker", "run"],
        env=home.environment | settings,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    home.workers.append(worker)
    home.await_log(worker, "worker.started")
    assert any("import time:" in line and "queuectl.worker.loop" in line for line in home.lines)
    home.in_state(cancelled, "processing")
    home.queue.cancel(cancelled)
    home.ended(cancelled)
    for job in jobs:
        home.ended(job)
    worker.send_signal(signal.SIGUSR1)
    worker.send_signal(signal.SIGTERM)
    served = []
    assert worker.stderr is not None
    for raw in worker.stderr:
        served.append(raw.decode())
    assert worker.wait(10) == 0
    assert any("worker.stopped" in line for line in served)
    assert [line for line in served if "import time:" in line and "queuectl" in line] == []
