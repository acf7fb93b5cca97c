"""`db check` finds what is wrong, and mends what can be mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from real_home import Home
from repair_home import close, findings, plant, run

from queuectl.storage.library import may_corrupt
from queuectl.storage.migrations import VERSION

WORKER = (
    "INSERT INTO workers (id, uuid, name, host, boot_id, pid, started_at) VALUES (7, 'u', 'default-0', 'h', 'b', 1, 1)"
)
PROCESSING = "UPDATE jobs SET state = 'processing', claim_seq = 1, attempts = 1"
FAULTS = {
    "jobs.spec": ["DELETE FROM job_specs WHERE job_id = 1"],
    "specs.job": ["DELETE FROM jobs WHERE id = 1"],
    "attempts.job": [
        "INSERT INTO attempts (job_id, number, worker_id, slot, started_at, outcome) VALUES (99, 1, 1, 0, 1, 'failed')"
    ],
    "attempts.end": ["INSERT INTO attempts (job_id, number, worker_id, slot, started_at) VALUES (1, 1, 1, 0, 1)"],
    "jobs.worker": [f"{PROCESSING}, worker_id = NULL WHERE id = 1"],
    "counts": ["UPDATE job_counts SET n = n + 5"],
}


@pytest.fixture
def queue(home: Home) -> Home:
    for n in range(3):
        home.enqueue("true", id=f"job{n}")
    close(home)
    return home


def test_a_sound_queue_is_sound(queue: Home) -> None:
    found = findings(queue, "db", "check")
    assert {each["severity"] for each in found.values()} == {"ok"}
    assert set(FAULTS) <= set(found)
    assert run(queue, "db", "check").code == 0


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_is_found_named_and_mended(queue: Home, check: str) -> None:
    plant(queue, *FAULTS[check])
    said = run(queue, "db", "check", "--json")
    assert said.code == 1
    fault = next(each for each in said.json if each["check"] == check)
    assert fault["severity"] == "error"
    assert fault["mend"] == "queuectl db check --repair"
    assert "queuectl db check --repair" in run(queue, "db", "check").out
    mended = run(queue, "db", "check", "--repair", "--json")
    assert mended.code == 0, mended
    assert {each["severity"] for each in mended.json} == {"ok"}
    assert run(queue, "list").code == 0


def test_a_running_job_without_its_attempt_is_given_back(queue: Home) -> None:
    plant(queue, WORKER, f"{PROCESSING}, worker_id = 7 WHERE id = 1")
    assert findings(queue, "db", "check")["jobs.worker"]["severity"] == "error"
    run(queue, "db", "check", "--repair")
    job = queue.queue.get("job0")
    assert (job.state.value, job.attempts) == ("pending", 0)
    assert "given back" in (job.reason or "")


def test_a_state_that_is_none_is_found(queue: Home) -> None:
    plant(queue, "UPDATE jobs SET state = 'dreaming' WHERE id = 2")
    found = findings(queue, "db", "check")["jobs.state"]
    assert found["severity"] == "error"
    assert "job1" in found["found"]


def test_it_looks_while_workers_work(home: Home) -> None:
    home.worker()
    for _ in range(10):
        home.queue.enqueue_many(["true"] * 20)
        assert run(home, "db", "check").code == 0


def test_damage_within_the_file_is_found_and_not_repaired(queue: Home) -> None:
    queue.queue.enqueue_many([f"echo {'x' * 900}" for _ in range(300)])
    backup = run(queue, "db", "backup", "--json").json["file"]
    close(queue)
    path = Path(queue.path, "queue.db")
    whole = path.read_bytes()
    path.write_bytes(whole[: 60 * 4096] + b"\xa5" * 4096 + whole[61 * 4096 :])
    before = path.read_bytes()
    said = run(queue, "db", "check", "--repair", "--json")
    assert said.code == 1
    fault = next(each for each in said.json if each["check"] == "file")
    assert fault["mend"] == f"queuectl db restore {backup} --home {queue.path}"
    assert path.read_bytes() == before


def test_a_home_that_is_not_there_is_not_made(home: Home) -> None:
    os.rmdir(home.path)
    for words in (("check",), ("backup",), ("vacuum",)):
        said = run(home, "db", *words)
        assert said.code == 1
        assert "there is no queue here" in said.err
        assert not os.path.exists(home.path)


def test_vacuum_shrinks_and_migrate_says_the_version(home: Home) -> None:
    ids = home.queue.enqueue_many([f"echo {'x' * 5000}" for _ in range(500)])
    run(home, "remove", "--yes", *ids[:490])
    said = run(home, "db", "vacuum", "--json").json
    assert said["after"] < said["before"] / 5
    assert run(home, "db", "check").code == 0
    assert run(home, "db", "migrate", "--json").json == {"before": VERSION, "version": VERSION}


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_which_libraries_may_corrupt(version: tuple[int, int, int], bad: bool) -> None:
    assert may_corrupt(version) is bad
