"""The same for what goes through the database: filters, ids, imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import CASES, profile, says, texts, values
from hypothesis import example, given
from hypothesis import strategies as some

from queuectl.domain.states import State
from queuectl.errors import AmbiguousId, DuplicateJob, InvalidJob, NoSuchJob, UsageError
from queuectl.queue import Queue
from queuectl.queue.importing import import_jobs

ANY = some.text(max_size=30) | some.text("%_'\"\\;-\0\ud800", max_size=8) | texts


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    made = Queue(home=str(tmp_path / "home"))
    made.enqueue_many([{"command": f"echo {word}", "tags": ["a", word]} for word in ("%", "_", "'", "x")])
    return made


@pytest.mark.parametrize("cases", CASES)
def test_filters(queue: Queue, cases: int) -> None:
    @profile(cases)
    @given(ANY, some.none() | ANY, some.lists(ANY, max_size=2), some.none() | some.integers(-(2**70), 2**70), ANY)
    @example("", None, [], 2**63, "")
    @example("\0\x80", None, [], None, "")
    def fuzz(search: str, named: str | None, tags: list[str], since: int | None, job_id: str) -> None:
        try:
            found = list(queue.jobs(search=search or None, queue=named, tags=tags, since=since, states=[State.PENDING]))
        except UsageError as error:
            says(error)
        else:
            for job in found:
                assert search.lower() in f"{job.id} {job.spec.command}".lower()
        try:
            queue.get(job_id)
        except (NoSuchJob, AmbiguousId, UsageError) as error:
            says(error)

    fuzz()
    queue.close()


@pytest.mark.parametrize("cases", CASES)
def test_imports(queue: Queue, cases: int) -> None:
    records = some.fixed_dictionaries(
        {},
        optional={
            "command": some.just("true") | values,
            "id": ANY,
            "state": some.sampled_from(["pending", "processing", "failed", "completed", "dead"]) | values,
            "attempts": some.integers(0, 5) | values,
            "max_retries": some.integers(0, 5) | values,
            "timeout": some.integers(0, 5) | values,
            "priority": values,
            "created_at": some.datetimes().map(str) | values,
            "updated_at": some.floats() | values,
            "output": some.text(max_size=20) | values,
            "error": ANY | values,
        },
    )

    @profile(cases)
    @given(some.dictionaries(ANY, records, max_size=3) | values)
    def fuzz(document: object) -> None:
        try:
            result = import_jobs(queue, document)
        except (InvalidJob, DuplicateJob, UsageError) as error:
            says(error)
        else:
            for job_id in result.imported:
                assert queue.get(job_id).id == job_id

    fuzz()
    queue.close()
