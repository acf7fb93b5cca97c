"""A model of the queue beside the queue: whatever is done, in whatever order, both say the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from queue_file import NOW, add, add_worker, check_counts, check_sound, new_job

from queuectl.domain.retry import state_after
from queuectl.domain.states import ENDED, TRANSITIONS, Outcome, State
from queuectl.errors import DuplicateJob
from queuectl.storage import changes, claims
from queuectl.storage.claims import Claim, Ending
from queuectl.storage.database import Database

_WAYS = {way for ways in TRANSITIONS.values() for way in ways}
_RETRIES = 2


@dataclass
class Model:
    """What a job should be."""

    id: str
    row: int
    state: State
    run_at: int
    key: str | None
    queue: str
    asked: bool = False
    counted: int = 0
    """Executions started and not given back, since the last retry."""
    claimed: int = 0
    claim: tuple[int, Claim] | None = None
    """Who runs it, and how."""
    stale: list[tuple[int, Claim]] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.database = Database(f"{self.home.name}/queue.db", synchronous="off")
        self.workers = [add_worker(self.database, f"default-{n}") for n in range(2)]
        self.database.rows("CREATE TEMP TABLE seen (before TEXT, after TEXT)")
        self.database.rows(
            "CREATE TEMP TRIGGER see AFTER UPDATE OF state ON main.jobs WHEN old.state <> new.state "
            "BEGIN INSERT INTO seen VALUES (old.state, new.state); END"
        )
        self.now = NOW
        self.jobs: list[Model] = []
        self.made = 0

    def teardown(self) -> None:
        seen = self.database.rows("SELECT DISTINCT before, after FROM seen")
        assert {(State(before), State(after)) for before, after in seen} <= _WAYS
        check_sound(self.database)
        self.database.close()
        self.home.cleanup()

    def pick(self, number: int) -> Model:
        return self.jobs[number % len(self.jobs)]

    def unended_with(self, key: str | None, but: Model | None = None) -> bool:
        return key is not None and any(
            job.key == key and job is not but and job.state not in ENDED for job in self.jobs
        )

    @rule(
        delay=st.integers(0, 3),
        held=st.booleans(),
        key=st.sampled_from([None, None, "k", "l"]),
        queue=st.sampled_from(["a", "b"]),
    )
    def enqueue(self, delay: int, held: bool, key: str | None, queue: str) -> None:
        state = State.HELD if held else State.SCHEDULED if delay else State.PENDING
        self.made += 1
        job_id = f"j{self.made}"
        run_at = self.now + delay if delay else None
        job = new_job(job_id, state=state, run_at=run_at, unique_key=key, queue=queue, max_retries=_RETRIES)
        if self.unended_with(key):
            with pytest.raises(DuplicateJob):
                add(self.database, job, now=self.now)
            return
        assert add(self.database, job, now=self.now) == [job_id]
        row = self.database.rows("SELECT id FROM jobs WHERE public_id = ?", (job_id,))[0][0]
        assert all(row > other.row for other in self.jobs)
        self.jobs.append(Model(job_id, row, state, self.now + delay, key, queue))

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(who=st.integers(0, 1), slots=st.integers(1, 3), queues=st.sampled_from([None, ("a",), ("b",), ("a", "b")]))
    def claim(self, who: int, slots: int, queues: tuple[str, ...] | None) -> None:
        with self.database.write():
            taken = claims.claim(self.database, self.workers[who], queues, range(slots), self.now)
        for job in self.jobs:
            if job.state in (State.SCHEDULED, State.FAILED) and job.run_at <= self.now:
                job.state = State.PENDING
        ready = [job for job in self.jobs if job.state is State.PENDING and (queues is None or job.queue in queues)]
        ready.sort(key=lambda job: (job.run_at, job.row))
        assert [found.id for found in taken] == [job.id for job in ready[:slots]]
        for found, job in zip(taken, ready, strict=False):
            job.state = State.PROCESSING
            job.counted += 1
            job.claimed += 1
            assert (found.attempts, found.number) == (job.counted, job.claimed)
            job.claim = (self.workers[who], found)

    def end(self, job: Model, outcome: Outcome, delay: int) -> None:
        assert job.claim is not None
        worker, claim = job.claim
        state = state_after(outcome, claim.attempts, claim.max_retries, False)
        ending = Ending(claim.job, claim.id, claim.number, state, outcome, self.now, self.now + delay)
        with self.database.write():
            assert claims.finish(self.database, worker, [ending]) == []
        job.stale.append(job.claim)
        job.claim = None
        if outcome is Outcome.RELEASED:
            job.counted -= 1
        else:
            job.run_at = self.now + delay
        job.state = State.CANCELLED if job.asked else state

    def running(self, number: int) -> Model | None:
        running = [job for job in self.jobs if job.claim is not None]
        return running[number % len(running)] if running else None

    @rule(
        number=st.integers(0, 20),
        outcome=st.sampled_from([Outcome.COMPLETED, Outcome.FAILED, Outcome.FAILED, Outcome.RELEASED, Outcome.CRASHED]),
        delay=st.integers(0, 3),
    )
    def finish(self, number: int, outcome: Outcome, delay: int) -> None:
        job = self.running(number)
        if job is not None:
            self.end(job, outcome, delay)

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20), outcome=st.sampled_from(Outcome), again=st.integers(0, 5))
    def a_stale_worker_comes_back(self, number: int, outcome: Outcome, again: int) -> None:
        job = self.pick(number)
        if not job.stale:
            return
        worker, claim = job.stale[again % len(job.stale)]
        state = state_after(outcome, claim.attempts, claim.max_retries, False)
        late = Ending(claim.job, claim.id, claim.number, state, outcome, self.now, self.now)
        with self.database.write():
            assert claims.finish(self.database, worker, [late]) == [late]

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20))
    def cancel(self, number: int) -> None:
        job = self.pick(number)
        done = bool(changes.cancel(self.database, [job.row], "r", self.now))
        if job.state is State.PROCESSING:
            assert done is not job.asked
            job.asked = True
        else:
            assert done is (job.state not in ENDED)
            job.state = job.state if job.state in ENDED else State.CANCELLED

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20))
    def hold(self, number: int) -> None:
        job = self.pick(number)
        may = (job.state, State.HELD) in TRANSITIONS["hold"]
        assert bool(changes.hold(self.database, [job.row], "r", self.now)) is may
        job.state = State.HELD if may else job.state

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20))
    def unhold(self, number: int) -> None:
        job = self.pick(number)
        assert bool(changes.unhold(self.database, [job.row], self.now)) is (job.state is State.HELD)
        if job.state is State.HELD:
            job.state = State.SCHEDULED if job.run_at > self.now else State.PENDING

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20), keep=st.booleans())
    def retry(self, number: int, keep: bool) -> None:
        job = self.pick(number)
        if job.state in ENDED and self.unended_with(job.key, job):
            with pytest.raises(DuplicateJob):
                changes.retry(self.database, [job.row], self.now, keep_attempts=keep)
            return
        assert bool(changes.retry(self.database, [job.row], self.now, keep_attempts=keep)) is (job.state in ENDED)
        if job.state in ENDED:
            job.counted = max(job.counted, _RETRIES) if keep else 0
            job.state, job.run_at, job.asked = State.PENDING, self.now, False

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 20))
    def remove(self, number: int) -> None:
        job = self.pick(number)
        gone = changes.remove(self.database, [job.row], self.now)
        assert bool(gone) is (job.state is not State.PROCESSING)
        if gone:
            self.jobs.remove(job)

    @invariant()
    def both_say_the_same(self) -> None:
        found = self.database.rows(
            "SELECT id, public_id, state, run_at, attempts, claim_seq, cancel_requested_at IS NOT NULL, worker_id "
            "FROM jobs ORDER BY id"
        )
        assert found == [
            (job.row, job.id, job.state, job.run_at, job.counted, job.claimed, job.asked, job.claim and job.claim[0])
            for job in self.jobs
        ]
        check_counts(self.database)
        open_attempts = self.database.rows("SELECT job_id, number FROM attempts WHERE outcome IS NULL ORDER BY job_id")
        assert open_attempts == [(job.row, job.claimed) for job in self.jobs if job.claim is not None]


Queue.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_a_queue_does_what_its_model_does = Queue.TestCase


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_queue_does_what_its_model_does_for_long() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Queue, settings=settings(max_examples=1500, stateful_step_count=80, deadline=None))
