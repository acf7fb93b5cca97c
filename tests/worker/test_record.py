"""What a worker does to the record of who did what."""

from __future__ import annotations

from real_home import Home, until


def test_the_leader_forgets_what_is_older_than_retention_audit(home: Home) -> None:
    home.enqueue("true", delay=3600)
    assert home.document("audit")
    worker = home.worker(retention_audit="1h")
    home.await_log(worker, "leader.elected")
    assert len(home.document("audit")) == 1
    home.worker(retention_audit="1ms")
    worker.kill()
    worker.wait()
    until(lambda: home.document("audit") == [], "the record to be forgotten")
