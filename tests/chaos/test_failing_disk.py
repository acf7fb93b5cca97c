"""A disk that fails in the moment of a commit: what was to be written may be there, or not."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from building import build
from real_home import QUEUECTL, Home


def test_an_enqueue_says_that_nobody_knows_and_the_queue_goes_on(home: Home, tmp_path: Path) -> None:
    page = tmp_path / "conditions"
    page.write_bytes(bytes(24))
    home.environment |= {"LD_PRELOAD": build("conditions", str(tmp_path)), "CHAOS_CONDITIONS": str(page)}
    before = home.cli("enqueue", "--", "true").strip()
    page.write_bytes(struct.pack("<qqq", 0, 0, True))
    # Held open, so that the log stays as the failed commit left it.
    assert home.queue.get(before).state.value == "pending"
    words = [QUEUECTL, "enqueue", "--id", "unsure", "--", "true"]
    done = subprocess.run(words, env=home.environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "it may be in, or not" in done.stderr
    assert "queuectl list" in done.stderr
    page.write_bytes(bytes(24))
    assert os.stat(home.queue.database.path + "-wal").st_size > 0
    home.worker()
    after = home.cli("enqueue", "--", "true").strip()
    assert [home.ended(job).state.value for job in (before, after)] == ["completed"] * 2
    home.cli("db", "check")
