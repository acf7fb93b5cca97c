"""The schema: as the models say, made by the migrations alone, and indexed for what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import peewee
import pytest
from queue_file import NOW, add, add_worker, check_counts, ending, new_job

from queuectl.domain.states import ENDED, Outcome, State
from queuectl.errors import DatabaseError, DuplicateJob
from queuectl.storage import changes, claims, migrations, models, queries, retention, workers
from queuectl.storage.connection import Connection
from queuectl.storage.database import Database

MODELS = (models.JobRow, models.SpecRow, models.AttemptRow, models.WorkerRow, models.CountRow, models.AuditRow)
_TYPES: dict[type[peewee.Field], str] = {
    peewee.AutoField: "INTEGER",
    peewee.IntegerField: "INTEGER",
    peewee.BigIntegerField: "INTEGER",
    peewee.DoubleField: "REAL",
    peewee.TextField: "TEXT",
    peewee.BlobField: "BLOB",
}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_says_what_its_table_is(database: Database, model: type[peewee.Model]) -> None:
    table = model._meta.table_name
    there = {
        (name, kind, not required and not key, key > 0)
        for _, name, kind, required, _, key in database.rows(f"PRAGMA table_info({table})")
    }
    keys = {field.name for field in model._meta.get_primary_keys()}
    said = {
        (field.column_name, _TYPES[type(field)], field.null, field.name in keys) for field in model._meta.sorted_fields
    }
    assert said == there


def test_every_table_has_a_model(database: Database) -> None:
    tables = {row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - {"sqlite_sequence"} == {model._meta.table_name for model in MODELS}


def test_what_the_models_call_unique_is(database: Database) -> None:
    for model in MODELS:
        table = model._meta.table_name
        unique = {
            tuple(row[2] for row in database.rows(f"PRAGMA index_info('{index[1]}')"))
            for index in database.rows(f"PRAGMA index_list({table})")
            if index[2] and index[3] == "u" and len(database.rows(f"PRAGMA index_info('{index[1]}')")) == 1
        }
        assert unique == {(field.column_name,) for field in model._meta.sorted_fields if field.unique}


def _schema(database: Connection) -> list[tuple[str, ...]]:
    return sorted(database.rows("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def test_the_migrations_one_by_one_give_the_schema_of_a_fresh_database(database: Database, tmp_path: object) -> None:
    stepwise = Connection(peewee.SqliteDatabase(f"{tmp_path}/steps.db"), "steps")
    try:
        for _, statements in migrations.STEPS:
            for statement in statements:
                stepwise.rows(statement)
        assert _schema(stepwise) == _schema(database)
    finally:
        stepwise.close()
    assert database.rows("PRAGMA user_version") == [(migrations.VERSION,)]
    assert database.rows("PRAGMA application_id") == [(migrations.APPLICATION_ID,)]


def test_the_steps_go_up() -> None:
    versions = [version for version, _ in migrations.STEPS]
    assert versions == sorted(set(versions))
    assert versions[-1] == migrations.VERSION


def test_an_older_database_is_migrated_when_it_is_opened(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(path).close()
    next_one = migrations.VERSION + 1
    step = (next_one, ("CREATE TABLE more (id INTEGER PRIMARY KEY)", "INSERT INTO more VALUES (7)"))
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, step))
    monkeypatch.setattr(migrations, "VERSION", next_one)
    for _ in range(2):  # the second opening finds nothing to do
        database = Database(path)
        assert database.rows("SELECT id FROM more") == [(7,)]
        assert database.rows("PRAGMA user_version") == [(next_one,)]
        database.close()


def test_a_queue_of_the_first_schema_becomes_what_a_fresh_one_is(database: Database, tmp_path: Path) -> None:
    path = str(tmp_path / "old.db")
    old = peewee.sqlite3.connect(path)
    old.executescript((Path(__file__).parent / "schema_1000.sql").read_text())
    old.close()
    migrated = Database(path)
    # The text of a statement is as it was typed, but for its blanks.
    assert [tuple(" ".join(str(part).split()) for part in row) for row in _schema(migrated)] == [
        tuple(" ".join(str(part).split()) for part in row) for row in _schema(database)
    ]
    assert migrated.rows("PRAGMA user_version") == [(migrations.VERSION,)]
    assert migrated.rows("PRAGMA foreign_key_check") == migrated.rows("SELECT * FROM audit") == []
    jobs = {job.id: job for job in queries.jobs(migrated, queries.Filter())}
    assert list(jobs) == ["ran", "held", "later", "two", "one"]
    assert {job.enqueued_by for job in jobs.values()} == {None}
    assert jobs["two"].spec.tags == ("a", "b")
    assert jobs["one"].last is not None
    assert jobs["one"].last.tail == b"out\n"
    assert add(migrated, new_job("new")) == ["new"]
    assert queries.get(migrated, "new").enqueued_by == migrated.actor
    check_counts(migrated)
    migrated.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(path).close()
    with monkeypatch.context() as patched:
        next_one = migrations.VERSION + 1
        patched.setattr(migrations, "STEPS", (*migrations.STEPS, (next_one, ("CREATE TABLE more (id)", "nonsense"))))
        patched.setattr(migrations, "VERSION", next_one)
        with pytest.raises(DatabaseError, match="syntax error"):
            Database(path)
    database = Database(path)
    assert database.rows("PRAGMA user_version") == [(migrations.VERSION,)]
    assert database.rows("SELECT 1 FROM sqlite_master WHERE name = 'more'") == []
    database.close()


def test_the_pragmas_are_as_designed(path: str) -> None:
    for synchronous, level in (("full", 2), ("normal", 1)):
        database = Database(path, synchronous=synchronous)
        assert database.rows("PRAGMA synchronous") == [(level,)]
        assert database.rows("PRAGMA journal_mode") == [("wal",)]
        assert database.rows("PRAGMA auto_vacuum") == [(2,)]
        assert database.rows("PRAGMA foreign_keys") == [(1,)]
        assert database.rows("PRAGMA mmap_size") in ([(0,)], [])
        with database.write(synced=False):
            assert database.rows("PRAGMA synchronous") == [(1,)]
        assert database.rows("PRAGMA synchronous") == [(level,)]
        database.close()


# Plans. The statements are those that the functions really send, with their parameters.


@contextmanager
def recorded(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Sequence[object]]]]:
    sent: list[tuple[str, Sequence[object]]] = []
    live = database._live()
    execute = live.execute_sql

    def record(sql: str, parameters: Sequence[object] = ()) -> object:
        sent.append((sql, parameters))
        return execute(sql, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(live, "execute_sql", record)
        yield sent


def plans(database: Database, sent: Sequence[tuple[str, Sequence[object]]]) -> str:
    statements = [(sql, parameters) for sql, parameters in sent if sql.split()[0] in ("SELECT", "UPDATE", "DELETE")]
    assert statements
    return "\n".join(
        row[3] for sql, parameters in statements for row in database.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
    )


@pytest.fixture
def filled(database: Database) -> Database:
    """Jobs in every state, and no statistics: as a queue is that was never ANALYZEd."""
    worker = add_worker(database)
    add(database, *[new_job(queue=f"q{n % 3}", unique_key=f"k{n}") for n in range(60)])
    with database.write():
        for n, taken in enumerate(claims.claim(database, worker, None, range(40), NOW)):
            if n < 30:
                state = (State.COMPLETED, State.DEAD, State.FAILED)[n % 3]
                claims.finish(database, worker, [ending(taken, state, Outcome.FAILED, NOW, NOW + 99)])
    add(database, *[new_job(state=State.SCHEDULED, run_at=NOW + 1000 + n) for n in range(20)])
    add(database, *[new_job(state=State.HELD) for _ in range(5)])
    return database


def test_a_claim_reads_its_indexes_and_sorts_no_table(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(filled, monkeypatch) as sent, filled.write():
        claims.claim(filled, 1, None, [0, 1], NOW)
    plan = plans(filled, sent)
    assert "USING INDEX jobs_due (run_at<?)" in plan or "USING COVERING INDEX jobs_due (run_at<?)" in plan
    assert "jobs_ready (queue=?)" in plan
    assert "SCAN jobs\n" not in plan + "\n"
    assert "SCAN job_specs" not in plan


def test_the_next_due_is_the_first_of_its_index(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(filled, monkeypatch) as sent:
        claims.next_due(filled)
    assert "SEARCH jobs USING INDEX jobs_due" in plans(filled, sent)


def test_what_runs_is_found_by_its_index(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(filled, monkeypatch) as sent:
        claims.cancel_requests(filled, 1)
        workers.open_attempts(filled, 1)
        workers.unsettled(filled)
    plan = plans(filled, sent)
    assert plan.count("jobs_running") == 3
    assert "SCAN a\n" not in plan + "\n"


def test_what_is_to_be_forgotten_is_found_by_its_index(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ENDED:
        with recorded(filled, monkeypatch) as sent:
            retention.expired(filled, state, NOW)
        plan = plans(filled, sent)
        assert "jobs_finished (state=? AND finished_at<?)" in plan
        assert "TEMP B-TREE" not in plan


def test_the_dead_are_summed_up_by_their_index(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(filled, monkeypatch) as sent:
        queries.dead_summary(filled)
    plan = plans(filled, sent)
    assert plan.count("jobs_finished (state=?)") == 2
    assert "SCAN" not in plan


def test_a_taken_unique_key_is_found_by_its_index(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(filled, monkeypatch) as sent, pytest.raises(DuplicateJob):
        add(filled, new_job(unique_key="k59"))
    assert "jobs_unique_key (unique_key=?)" in plans(filled, sent)
    assert "SCAN" not in plans(filled, sent).replace("SCAN sqlite_sequence", "")


def test_every_index_of_the_jobs_has_a_test_here(database: Database) -> None:
    names = {row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}
    assert names == {"jobs_ready", "jobs_due", "jobs_running", "jobs_finished", "jobs_unique_key"}


@pytest.mark.parametrize(
    "which",
    [
        queries.Filter(),
        queries.Filter(states=(State.PENDING,)),
        queries.Filter(states=(State.DEAD, State.FAILED), queue="q1"),
        queries.Filter(since=NOW),
        queries.Filter(search="tru"),
        queries.Filter(tags=("a", "b")),
    ],
)
def test_a_page_of_the_list_goes_down_the_primary_key(
    filled: Database, monkeypatch: pytest.MonkeyPatch, which: queries.Filter
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 7)
    with recorded(filled, monkeypatch) as sent:
        list(queries.jobs(filled, which))
    pages = [(sql, parameters) for sql, parameters in sent if "LIMIT" in sql]
    plan = plans(filled, pages)
    assert "TEMP B-TREE FOR ORDER BY" not in plan
    for _, parameters in pages[1:]:
        assert parameters  # after the first page, from an id on
    if len(pages) > 1:
        assert "INTEGER PRIMARY KEY (rowid<?)" in plans(filled, pages[1:])
    rest = [(sql, parameters) for sql, parameters in sent if "LIMIT" not in sql]
    if rest:
        assert "SCAN" not in plans(filled, rest)


def test_a_job_is_found_by_its_id_and_by_a_prefix_without_a_scan(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(filled, new_job("find-me"))
    with recorded(filled, monkeypatch) as sent:
        queries.get(filled, "find-")
        queries.attempts(filled, "find-me")
    assert "SCAN" not in plans(filled, sent)


def test_forgetting_gives_pages_back_and_keeps_the_counts(database: Database) -> None:
    worker = add_worker(database)
    add(database, *[new_job(spec=new_job().spec._replace(command="x" * 3000)) for _ in range(300)])
    with database.write():
        taken = claims.claim(database, worker, None, range(300), NOW)
        claims.finish(database, worker, [ending(one, State.COMPLETED, Outcome.COMPLETED) for one in taken])
    workers.retire(database, worker, NOW + 1)
    before = database.rows("PRAGMA page_count")[0][0]
    expired = retention.expired(database, State.COMPLETED, NOW + 1)
    changes.retry(database, [expired[0][0]], NOW)  # somebody wanted it after all
    retention.forget(database, [row for row, _ in expired], State.COMPLETED)
    assert database.rows("SELECT state, n FROM job_counts WHERE n > 0") == [("pending", 1)]
    assert database.rows("SELECT count(*) FROM attempts") == [(1,)]
    assert database.rows("PRAGMA page_count")[0][0] < before / 2
    check_counts(database)
    assert retention.checkpoint(database) == 0
    assert retention.checkpoint(database, truncate=True) == 0


def test_forgetting_needs_the_write_lock_all_along(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add(database, *[new_job() for _ in range(10)])
    with recorded(database, monkeypatch) as sent:
        retention.forget(database, [1, 2, 3], State.PENDING)
    statements = [sql.split("(")[0].strip() for sql, _ in sent]
    begin, commit = statements.index("BEGIN IMMEDIATE"), statements.index("COMMIT")
    assert begin < statements.index("PRAGMA incremental_vacuum") < commit
