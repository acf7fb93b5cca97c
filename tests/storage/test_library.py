"""The library class: enqueue, look, wait, change; from threads and after a fork."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from queue_file import add_worker, check_sound, ending, exit_code_of, forked

from queuectl.domain.states import Outcome, State
from queuectl.errors import (
    AmbiguousId,
    DatabaseUnavailable,
    DuplicateJob,
    InvalidJob,
    NoSuchJob,
    WaitTimeout,
    WrongState,
)
from queuectl.execution.place import output_path
from queuectl.queue import Queue
from queuectl.storage import claims


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    for name in [name for name in os.environ if name.startswith("QUEUECTL_")]:
        monkeypatch.delenv(name)
    made = Queue(home=str(tmp_path / "home"))
    yield made
    made.close()


def run_one(queue: Queue, state: State, outcome: Outcome) -> None:
    """Claim the best job and end it, as a worker would."""
    worker = add_worker(queue.database)
    with queue.database.write():
        (claim,) = claims.claim(queue.database, worker, None, [0], 2**50)
    with queue.database.write():
        claims.finish(queue.database, worker, [ending(claim, state, outcome, 2**41, 2**41)])


def test_a_job_is_enqueued_and_found(queue: Queue) -> None:
    job = queue.enqueue("echo hi", id="a", tags=["x"], priority=5)
    assert (job.id, job.state, job.priority, job.spec.command, job.spec.tags) == (
        "a",
        State.PENDING,
        5,
        "echo hi",
        ("x",),
    )
    assert job.spec.cwd == os.getcwd()
    assert queue.get("a") == job == next(queue.jobs())
    assert queue.enqueue(["echo", "a b"]).spec.argv == ("echo", "a b")
    assert queue.enqueue("x", delay="1h").state is State.SCHEDULED
    with pytest.raises(DuplicateJob):
        queue.enqueue("x", id="a")
    with pytest.raises(InvalidJob, match="unknown key"):
        queue.enqueue("x", prio=1)
    with pytest.raises(NoSuchJob):
        queue.get("zzz")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"id": "own", "priority": 3, "max_retries": 0, "unique_key": "k", "queue": "video", "description": "why"},
        {"delay": 60, "tags": ["a", "b"], "env": {"A": "1"}, "stdin": "in", "no_retry_exit_codes": [3], "timeout": 0.5},
    ],
)
@pytest.mark.parametrize("command", ["echo hi", ["echo", "a b"]])
def test_what_enqueue_returns_is_what_is_in_the_queue(queue: Queue, command: str | list[str], keys: dict) -> None:
    job = queue.enqueue(command, **keys)
    assert job == queue.get(job.id)


def test_many_are_enqueued_or_none(queue: Queue) -> None:
    assert queue.enqueue_many([]) == []
    ids = queue.enqueue_many(["true", {"command": "false", "id": "b"}, {"argv": ["ls"]}])
    assert ids[1] == "b"
    with pytest.raises(InvalidJob, match=r"^job 2: ") as invalid:
        queue.enqueue_many(["true", {"command": ""}])
    assert invalid.value.key == "command"
    with pytest.raises(DuplicateJob, match=r"^job 3: ") as duplicate:
        queue.enqueue_many(["true", "true", {"command": "x", "id": "b"}])
    assert duplicate.value.index == 2
    assert len(list(queue.jobs())) == 3


def test_changes_are_refused_where_the_state_forbids_them(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    assert queue.hold("a", "later").reason == "later"
    with pytest.raises(WrongState, match="only a job that waits can be held"):
        queue.hold("a")
    assert queue.release("a").state is State.PENDING
    with pytest.raises(WrongState, match="is pending, not held"):
        queue.release("a")
    with pytest.raises(WrongState, match="only a job that has ended"):
        queue.retry("a")
    assert queue.cancel("a").state is State.CANCELLED
    with pytest.raises(WrongState, match="can't be cancelled any more"):
        queue.cancel("a")
    assert queue.retry("a").state is State.PENDING
    queue.remove("a")
    for change in (queue.hold, queue.release, queue.retry, queue.cancel, queue.remove, queue.wait, queue.attempts):
        with pytest.raises(NoSuchJob):
            change("a")


def test_a_retry_against_a_taken_key_names_the_key(queue: Queue) -> None:
    queue.enqueue("true", id="a", unique_key="k")
    queue.cancel("a")
    queue.enqueue("true", id="b", unique_key="k")
    with pytest.raises(DuplicateJob, match="job a: another job with unique_key 'k' has not ended"):
        queue.retry("a")


def test_removing_takes_the_output_along(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    place = output_path(queue.installation.output, "a", 1)
    os.makedirs(os.path.dirname(place))
    Path(place).write_text("x")
    queue.remove("a")
    assert not os.path.exists(os.path.dirname(place))


def test_waiting_for_what_has_ended_returns_at_once(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    run_one(queue, State.DEAD, Outcome.FAILED)
    job = queue.wait("a", 0)
    assert job.state is State.DEAD
    assert job.last is not None
    assert job.last.outcome is Outcome.FAILED


@pytest.mark.parametrize("timeout", [None, 30])
def test_waiting_ends_soon_after_the_job(queue: Queue, timeout: float | None) -> None:
    queue.enqueue("true", id="abc")

    def work() -> None:
        time.sleep(0.1)  # so that the wait has begun; if it hasn't, it ends all the same
        run_one(queue, State.COMPLETED, Outcome.COMPLETED)

    pid = forked(work)
    began = time.monotonic()
    assert queue.wait("ab", timeout).state is State.COMPLETED
    assert time.monotonic() - began < 10
    assert exit_code_of(pid) == 0


def test_a_retry_on_the_way_is_waited_for_too(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    run_one(queue, State.FAILED, Outcome.FAILED)
    with pytest.raises(WaitTimeout, match=r"job a is failed after 0\.05 s") as caught:
        queue.wait("a", 0.05)
    assert caught.value.exit_code == 124


def test_waiting_is_over_when_its_time_is(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    for timeout in (0.0, 0.2, -1):
        began = time.monotonic()
        with pytest.raises(WaitTimeout):
            queue.wait("a", timeout)
        assert max(0, timeout) <= time.monotonic() - began < timeout + 5


def test_waiting_ends_when_the_job_is_removed(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    pid = forked(lambda: queue.remove("a"))
    with pytest.raises(NoSuchJob):
        queue.wait("a", 30)
    assert exit_code_of(pid) == 0


def test_waiting_ends_when_the_home_is_removed(queue: Queue) -> None:
    queue.enqueue("true", id="a")
    thread = threading.Timer(0.05, lambda: shutil.rmtree(queue.installation.home))
    thread.start()
    with pytest.raises(DatabaseUnavailable, match="was removed while waiting"):
        queue.wait("a", 30)
    thread.join()


def test_threads_and_forked_children_share_a_queue(queue: Queue) -> None:
    queue.enqueue("true", id="before")
    errors: list[BaseException] = []

    def in_thread(number: int) -> None:
        try:
            for n in range(10):
                queue.enqueue("true", id=f"t{number}-{n}")
        except BaseException as error:
            errors.append(error)
        finally:
            queue.close()

    def in_child(number: int) -> None:
        assert queue.get("before").id == "before"
        threads = [threading.Thread(target=in_thread, args=(f"c{number}{n}",)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        queue.cancel(f"tc{number}0-3")
        assert errors == []

    pids = [forked(lambda n=n: in_child(n)) for n in range(3)]
    threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [exit_code_of(pid) for pid in pids] == [0, 0, 0]
    assert errors == []
    assert len(list(queue.jobs())) == 1 + 3 * 20 + 40
    assert len(list(queue.jobs(states=["cancelled"]))) == 3
    check_sound(queue.database)


def test_a_closed_queue_opens_again(queue: Queue) -> None:
    queue.close()
    queue.close()
    assert queue.enqueue("true", id="a").id == "a"


def test_an_ambiguous_prefix_changes_nothing(queue: Queue) -> None:
    queue.enqueue_many([{"command": "true", "id": "ab1"}, {"command": "true", "id": "ab2"}])
    for change in (queue.cancel, queue.hold, queue.remove, queue.get):
        with pytest.raises(AmbiguousId):
            change("ab")
    assert {job.state for job in queue.jobs()} == {State.PENDING}
