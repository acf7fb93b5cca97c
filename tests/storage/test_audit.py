"""Who did what is written down with what was done, by the right name, and forgotten in time."""

from __future__ import annotations

import os
import pwd

import pytest
from queue_file import NOW, add, new_job

from queuectl.domain.actor import is_by, through_sudo
from queuectl.domain.states import State
from queuectl.errors import DuplicateJob
from queuectl.storage import audit, changes, queries, trail
from queuectl.storage.actor import current_actor
from queuectl.storage.database import Database

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def _no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "QUEUECTL_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def record(database: Database) -> list[tuple[str, str | None, int]]:
    """The actions, the oldest first."""
    return [(entry.action, entry.target, entry.number) for entry in reversed(trail.entries(database))]


def test_every_change_of_a_job_is_on_record(database: Database) -> None:
    add(database, new_job("a"))
    add(database, *[new_job(f"b{n}") for n in range(3)])
    changes.hold(database, [1], "r", NOW)
    changes.unhold(database, [1], NOW)
    changes.cancel(database, [1], "r", NOW)
    changes.retry(database, [1], NOW)
    changes.remove(database, [2, 3, 99], NOW)
    assert record(database) == [
        ("enqueue", "a", 1),
        ("enqueue", "b0…b2", 3),
        ("hold", "a", 1),
        ("release", "a", 1),
        ("cancel", "a", 1),
        ("retry", "a", 1),
        ("remove", "b0…b1", 2),
    ]
    assert {entry.actor for entry in trail.entries(database)} == {ME}


def test_what_did_not_happen_is_not(database: Database) -> None:
    add(database, new_job("a"))
    assert not changes.unhold(database, [1], NOW)
    assert changes.retry(database, [1], NOW) == []
    assert changes.remove(database, [7], NOW) == []
    with pytest.raises(DuplicateJob):
        add(database, new_job("b"), new_job("a"))
    assert record(database) == [("enqueue", "a", 1)]


def test_a_job_knows_who_enqueued_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add(database, new_job("mine"))
    monkeypatch.setattr(database, "actor", "alice (as root)")
    add(database, new_job("hers"), new_job("hers-too", state=State.HELD))
    assert queries.get(database, "mine").enqueued_by == ME
    found = [job.id for job in queries.jobs(database, queries.Filter(by="alice"))]
    assert found == ["hers-too", "hers"]
    assert queries.count(database, queries.Filter(by="alice", states=(State.HELD,))) == 1
    assert queries.count(database, queries.Filter(by="ali")) == queries.count(database, queries.Filter(by="%")) == 0


def test_the_record_is_asked_by_person_action_and_time(database: Database) -> None:
    add(database, new_job("a"), now=NOW)
    audit.record(database, "worker start", "default-0", NOW + 1)
    audit.record(database, "workers", None, NOW + 2)
    assert [entry.action for entry in trail.entries(database)] == ["workers", "worker start", "enqueue"]
    assert [entry.action for entry in trail.entries(database, action="worker")] == ["worker start"]
    assert [entry.at for entry in trail.entries(database, since=NOW + 1, limit=1)] == [NOW + 2]
    assert trail.entries(database, by=ME, action="enqueue") == [trail.Entry(NOW, ME, "enqueue", "a", 1)]
    assert trail.entries(database, by="nobody-else") == []


def test_it_is_forgotten_from_the_oldest_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "AT_ONCE", 2)
    for n in range(5):
        audit.record(database, "a", str(n), NOW + n)
    assert trail.trim(database, NOW) == 0
    assert [trail.trim(database, NOW + 3) for _ in range(3)] == [2, 1, 0]
    assert [entry.target for entry in trail.entries(database)] == ["4", "3"]


def test_whom_sudo_names_counts_where_it_can_be_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    me, other = os.getuid(), os.getuid() + 1
    monkeypatch.setenv("SUDO_USER", "alice")
    assert current_actor(me) == f"alice (as {ME})"
    if me != 0:
        assert current_actor(other) == ME
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert current_actor(other) == "uid:54321"
    assert current_actor(54321) == "alice (as uid:54321)"
    for odd in ("", "x" * 65, "a\nb", "\udce9"):
        monkeypatch.setenv("SUDO_USER", odd)
        assert current_actor(54321) == "uid:54321"
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("QUEUECTL_JOB_ID", "b4k")  # a job of a worker that alice started
    assert current_actor(54321) == "uid:54321"


def test_a_person_is_one_with_sudo_and_without() -> None:
    assert is_by("alice", "alice")
    assert is_by(through_sudo("alice", "root"), "alice")
    for other in (None, "", "alicea", "alice (as", through_sudo("bob", "alice")):
        assert not is_by(other, "alice")
