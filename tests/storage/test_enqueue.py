"""Enqueuing: all of a batch or nothing, errors by the job's name, and what was put in comes out equal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_file import NOW, add, add_worker, check_sound, ending, new_job

from queuectl.domain.intake import KEYS, defaults, read_job
from queuectl.domain.settings import Settings
from queuectl.domain.states import Outcome, State
from queuectl.errors import AmbiguousId, DuplicateJob, InvalidJob, NoSuchJob, UsageError
from queuectl.storage import changes, claims, enqueue, queries
from queuectl.storage.database import Database
from queuectl.storage.queries import Filter


def test_a_batch_is_written_in_order(database: Database) -> None:
    ids = add(database, *[new_job(f"j{n}") for n in range(2000)])
    assert [row[0] for row in database.rows("SELECT public_id FROM jobs ORDER BY id")] == ids
    check_sound(database)


@pytest.mark.parametrize("culprit", [0, 1, 700, 1199])
def test_a_taken_id_refuses_the_whole_batch_and_is_named(database: Database, culprit: int) -> None:
    add(database, new_job("taken"))
    batch = [new_job("taken" if n == culprit else f"j{n}") for n in range(1200)]
    with pytest.raises(DuplicateJob, match="a job with id 'taken' is in the queue already") as caught:
        add(database, *batch)
    assert caught.value.index == culprit
    assert caught.value.exit_code == 1
    assert database.rows("SELECT count(*) FROM jobs") == [(1,)]
    check_sound(database)


def test_a_taken_unique_key_names_the_job_that_has_it(database: Database) -> None:
    add(database, new_job("first", unique_key="k"))
    with pytest.raises(DuplicateJob, match="job first with unique_key 'k' is in the queue") as caught:
        add(database, new_job(), new_job("second", unique_key="k"))
    assert caught.value.index == 1
    assert database.rows("SELECT public_id FROM jobs") == [("first",)]


@pytest.mark.parametrize("fields", [{"unique_key": "k"}, {"job_id": "j"}])
def test_twice_in_one_batch_is_once_too_often(database: Database, fields: dict[str, str]) -> None:
    with pytest.raises(DuplicateJob, match="is there twice") as caught:
        add(database, new_job("a"), new_job(**fields), new_job("b"), new_job(**fields))
    assert caught.value.index == 3
    assert database.rows("SELECT count(*) FROM jobs") == [(0,)]


def test_a_unique_key_is_free_again_when_its_job_has_ended(database: Database) -> None:
    worker = add_worker(database)
    add(database, new_job("one", unique_key="k"))
    with database.write():
        (taken,) = claims.claim(database, worker, None, [0], NOW)
    with pytest.raises(DuplicateJob):
        add(database, new_job("two", unique_key="k"))
    with database.write():
        claims.finish(database, worker, [ending(taken, State.DEAD, Outcome.FAILED)])
    add(database, new_job("two", unique_key="k"))
    with pytest.raises(DuplicateJob):
        changes.retry(database, [taken.job], NOW)
    assert queries.get(database, "one").state is State.DEAD


def test_made_up_ids_that_meet_are_made_up_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["same", "same", "other", "same", "third"])
    monkeypatch.setattr(enqueue, "generate_id", lambda: next(made))
    assert add(database) == ["same"]
    assert add(database) == ["other"]
    assert add(database) == ["third"]


def test_ids_of_rows_are_never_given_twice(database: Database, path: str) -> None:
    add(database, new_job("a"), new_job("b"))
    (_, last) = [row[0] for row in database.rows("SELECT id FROM jobs ORDER BY id")]
    changes.remove(database, [last], NOW)
    database.close()
    again = Database(path)
    add(again, new_job("c"))
    assert again.rows("SELECT id FROM jobs WHERE public_id = 'c'")[0][0] > last
    again.close()


def test_an_error_in_a_transaction_undoes_all_of_it(database: Database) -> None:
    class Oops(Exception):
        pass

    def fail() -> None:
        with database.write(wakes=True):
            database.change("INSERT INTO job_counts VALUES ('q', 'pending', 5)")
            raise Oops

    with pytest.raises(Oops):
        fail()
    assert database.rows("SELECT * FROM job_counts") == []
    assert not database.in_transaction()
    add(database)  # and the lock is free


names = st.text("abcXYZ019_.-", min_size=1, max_size=12)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "command": texts,
    "argv": st.lists(texts, min_size=1, max_size=4),
    "id": names,
    "queue": names,
    "priority": st.integers(-(2**31), 2**31 - 1),
    "max_retries": st.integers(0, 10_000),
    "unique_key": texts,
    "run_at": st.sampled_from(["1970-01-01T00:00:00Z", "2026-11-24T06:45:00.123+05:30", "9999-12-31T23:59:59Z"]),
    "delay": st.one_of(st.integers(0, 10**9), st.floats(0, 10**9), st.just("36500d")),
    "cwd": texts,
    "env_file": texts,
    "env": st.dictionaries(texts.filter(lambda name: "=" not in name), st.one_of(st.just(""), texts), max_size=3),
    "stdin": st.one_of(st.just(""), texts),
    "timeout": st.floats(0, 10**9),
    "kill_grace": st.integers(0, 10**9),
    "backoff_base": st.floats(1, 1000),
    "backoff_max": st.one_of(st.just(0), st.floats(0, 10**9)),
    "backoff_jitter": st.floats(0, 1),
    "no_retry_exit_codes": st.lists(st.integers(1, 255), max_size=5),
    "output_limit": st.integers(4096, 2**63 - 1),
    "tags": st.lists(texts, max_size=4),
    "description": texts,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(str(tmp_path_factory.mktemp("shared") / "queue.db"), synchronous="normal")
    yield made
    made.close()


def test_the_fuzzing_knows_every_key() -> None:
    assert VALUES.keys() == KEYS


@settings(max_examples=300)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_passes_the_door_comes_out_as_it_went_in(shared: Database, raw: dict[str, object]) -> None:
    if "argv" not in raw:
        raw.setdefault("command", "true")
    else:
        raw.pop("command", None)
    try:
        job = read_job(raw, defaults(Settings(), now=NOW, cwd="/srv"))
    except InvalidJob:
        return
    (made,) = enqueue.insert(shared, [job], NOW)
    found = queries.get(shared, made)
    listed = next(queries.jobs(shared, Filter(), 1))
    row, _ = queries.resolve(shared, made)
    worker = add_worker(shared)
    with shared.write():
        shared.change("UPDATE jobs SET state = 'pending'")
        (claim,) = claims.claim(shared, worker, None, [0], NOW)
        claims.finish(shared, worker, [ending(claim, State.COMPLETED, Outcome.COMPLETED)])
    changes.remove(shared, [row], NOW)
    spec = job.spec._replace(env=job.spec.env or None)
    assert found.spec == listed.spec == claim.spec == spec
    assert job.id in (None, found.id)
    assert (found.queue, found.priority, found.max_retries, found.state, found.unique_key) == (
        (job.queue, job.priority, job.max_retries, job.state, job.unique_key)
    )
    assert found.run_at == (NOW if job.run_at is None else job.run_at)
    assert (found.created_at, found.updated_at, found.attempts, found.last) == (NOW, NOW, 0, None)


def test_an_id_or_its_beginning_finds_the_job(database: Database) -> None:
    add(database, new_job("abc"), new_job("abcd"), new_job("abX"), new_job("a%"))
    assert queries.resolve(database, "abc")[1] == "abc"  # exact, though another begins so
    assert queries.resolve(database, "abcd")[1] == "abcd"
    assert queries.resolve(database, "abX")[1] == "abX"
    assert queries.resolve(database, "a%")[1] == "a%"
    with pytest.raises(AmbiguousId, match="begin with 'ab': abX, abc, abcd"):
        queries.resolve(database, "ab")
    for unknown in ("", "%", "_bc", "abcde", "b", "\0", "\U0010ffff", "x" * 10**6):
        with pytest.raises(NoSuchJob):
            queries.resolve(database, unknown)


def test_a_job_that_is_removed_while_it_is_looked_up_is_no_such_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, new_job("j"))
    resolve = queries.resolve

    def late(database: Database, job_id: str) -> tuple[int, str]:
        found = resolve(database, job_id)
        changes.remove(database, [found[0]], NOW)
        return found

    monkeypatch.setattr(queries, "resolve", late)
    with pytest.raises(NoSuchJob, match="no job with id 'j'"):
        queries.get(database, "j")


def test_text_that_is_no_utf8_is_a_usage_error(database: Database) -> None:
    add(database)
    for ask in (
        lambda: queries.resolve(database, "caf\udce9"),
        lambda: list(queries.jobs(database, Filter(search="\udce9"))),
        lambda: list(queries.jobs(database, Filter(tags=("\udce9",)))),
        lambda: queries.count(database, Filter(queue="\udce9")),
        lambda: changes.cancel(database, [1], "\udce9", NOW),
        lambda: changes.hold(database, [1], "\udce9", NOW),
    ):
        with pytest.raises(UsageError, match="valid UTF-8"):
            ask()
    add(database)  # no lock and no transaction was left behind


def test_filters_find_what_fits_all_of_them(database: Database) -> None:
    def tagged(job_id: str, *tags: str, **fields: object) -> object:
        return new_job(job_id, **fields)._replace(spec=new_job().spec._replace(tags=tuple(sorted(tags))))

    add(database, tagged("web", "web", "prod"), tagged("cam", "webcam"), tagged("esc", 'we"b', "a\\b", "é", "50%_"))
    add(database, new_job("q", queue="other", spec=new_job().spec._replace(command="echo 100%", description="A_b")))
    add(database, new_job("late"), now=NOW + 10)

    def ids(**which: object) -> list[str]:
        found = Filter(**which)  # type: ignore[arg-type]
        listed = [job.id for job in queries.jobs(database, found)]
        assert queries.count(database, found) == len(listed)
        assert [public_id for _, public_id in queries.found(database, found)] == listed[::-1]
        return listed

    assert ids() == ["late", "q", "esc", "cam", "web"]
    assert ids(tags=("web",)) == ["web"]
    assert ids(tags=("web", "prod")) == ["web"]
    assert ids(tags=("web", "webcam")) == []
    assert ids(tags=('we"b',)) == ids(tags=("a\\b", "é")) == ids(tags=("50%_",)) == ["esc"]
    assert ids(search="%") == ["q"]
    assert ids(search="_") == ["q"]
    assert ids(search="CAM") == ids(search="ca") == ["cam"]
    assert ids(queue="other", states=(State.PENDING,)) == ["q"]
    assert ids(states=(State.DEAD,)) == []
    assert ids(since=NOW + 10) == ["late"]
    assert [job.id for job in queries.jobs(database, Filter(), 2)] == ["late", "q"]
    assert list(queries.jobs(database, Filter(), 0)) == []


@pytest.mark.parametrize("limit", [None, 1, 6, 7, 8, 14, 15, 99])
def test_pages_neither_lose_nor_repeat_jobs(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 7)
    ids = add(database, *[new_job() for _ in range(15)])[::-1]
    assert [job.id for job in queries.jobs(database, Filter(), limit)] == ids[: limit or 15]


def test_jobs_that_vanish_and_come_while_listing_do_no_harm(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 5)
    ids = add(database, *[new_job() for _ in range(20)])
    listing = queries.jobs(database, Filter())
    first = [next(listing).id for _ in range(5)]
    changes.remove(database, [row for row, _ in queries.found(database, Filter())][3:10], NOW)
    add(database, new_job("new"))
    assert first + [job.id for job in listing] == [*ids[19:9:-1], *ids[2::-1]]
