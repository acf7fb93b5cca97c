"""`queuectl import`: the ancestor's jobs.json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_runner import Cli, fails


def _record(job_id: str, **changed: object) -> dict[str, Any]:
    return {
        "id": job_id,
        "command": "echo hi",
        "state": "pending",
        "attempts": 0,
        "max_retries": 3,
        "created_at": "2025-01-02T03:04:05.678901",
        "updated_at": "2025-01-02T03:05:00",
        "output": None,
        "error": None,
        "timeout": 30,
        "priority": 0,
        **changed,
    }


RECORDS = {
    "new": _record("new", priority=7, max_retries=5),
    "ran": _record("ran", state="completed", attempts=1, output="hi\n"),
    "long": _record("long", state="completed", attempts=2, output="x" * 10_000 + "end", timeout=None),
    "bad": _record("bad", state="failed", attempts=1, error="exit code 1", output="oops [/x]"),
    "dead": _record("dead", state="dead", attempts=4, error="exit code 1"),
    "runs": _record("runs", state="processing", attempts=1),
}


def _write(cli: Cli, records: object) -> str:
    return cli.write("jobs.json", json.dumps(records))


def test_nothing_is_lost(cli: Cli) -> None:
    before = (cli.directory / _write(cli, RECORDS)).read_bytes()
    result = cli("import", "jobs.json", env={"TZ": "UTC"})
    assert "6 jobs imported" in result.err
    jobs = {job["id"]: job for job in cli("list", "--json", "--limit", "0").json}
    assert {job_id: job["state"] for job_id, job in jobs.items()} == {
        "new": "pending",
        "ran": "completed",
        "long": "completed",
        "bad": "failed",
        "dead": "dead",
        "runs": "pending",
    }
    for job_id, record in RECORDS.items():
        job = jobs[job_id]
        for key in ("command", "attempts", "max_retries", "priority", "error"):
            assert job[key] == record[key] or job_id == "runs", (job_id, key)
        assert job["timeout"] == (record["timeout"] or 300)
        assert (job["created_at"], job["updated_at"]) == ("2025-01-02T03:04:05.679Z", "2025-01-02T03:05:00.000Z")
    assert jobs["ran"]["output"] == "hi\n"
    assert cli("logs", "long").out == RECORDS["long"]["output"]
    assert cli("logs", "bad").out == "oops [/x]"
    [attempt] = cli.job("dead")["attempts_log"]
    assert (attempt["number"], attempt["outcome"], attempt["error"]) == (4, "failed", "exit code 1")
    assert attempt["finished_at"] == "2025-01-02T03:05:00.000Z"
    assert cli.job("new")["attempts_log"] == []
    assert cli("dlq", "stats", "--json").json["errors"] == [{"error": "exit code 1", "count": 1}]
    assert cli("status", "--json").json["jobs"]["completed"] == 2
    assert (cli.directory / "jobs.json").read_bytes() == before


def test_twice_does_no_harm(cli: Cli) -> None:
    _write(cli, RECORDS)
    assert cli("import", "jobs.json", "--json").json["imported"] == list(RECORDS)
    # What was lost between the commit and the writing of the file is made up for.
    (cli.home / "output" / "long" / "2").unlink()
    cli("dlq", "retry", "dead")
    found = cli("import", "jobs.json", "--json").json
    assert (found["imported"], found["there"]) == ([], list(RECORDS))
    assert cli.job("dead")["state"] == "pending"
    assert cli("logs", "long").out == RECORDS["long"]["output"]


def test_imported_jobs_run(cli: Cli) -> None:
    _write(cli, RECORDS)
    cli("import", "jobs.json")
    cli.drain()
    jobs = {job["id"]: job for job in cli("list", "--json").json}
    assert [jobs[name]["state"] for name in ("new", "bad", "runs")] == ["completed"] * 3
    assert [jobs[name]["attempts"] for name in ("new", "bad", "runs")] == [1, 2, 2]
    assert cli.job("bad")["attempts_log"][-1]["number"] == 2
    # What is older than the retention isn't forgotten at once.
    assert jobs["ran"]["state"] == "completed"


def test_strange_ids_and_keys(cli: Cli) -> None:
    _write(cli, {"a b/c": _record("a b/c", worker_pid=5, nothing=None)})
    result = cli("import", "jobs.json")
    assert "'a b/c' is a_b_c here" in result.err
    assert "left out: worker_pid" in result.err
    assert cli.job("a_b_c")["description"] == "imported: a b/c"
    assert "1 were there already" in cli("import", "jobs.json").err


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], ["object of jobs", "--batch"]),
        ({"a": 5}, ["object of jobs"]),
        ({"a": _record("b")}, ["'a'", "'b'"]),
        ({"a": _record("a"), "b": _record("b", state="odd")}, ["'b'", '"state"', "'odd'"]),
        ({"a": _record("a", command=None)}, ["'a'", '"command"']),
        ({"a": _record("a", attempts=-1)}, ["'a'", '"attempts"']),
        ({"a": _record("a", created_at="soon")}, ["'a'", '"created_at"', "'soon'"]),
        ({"a": _record("a", output=5)}, ["'a'", '"output"']),
        ({"a": _record("a", timeout=-1)}, ["'a'", '"timeout"']),
        ({"a b": _record("a b"), "a_b": _record("a_b")}, ["'a_b'"]),
    ],
)
def test_bad_files_import_nothing(cli: Cli, document: object, said: list[str]) -> None:
    fails(cli("import", _write(cli, document), code=None), 2, "jobs.json", *said)
    assert cli("list", "--json").json == []


def test_files_that_are_none(cli: Cli) -> None:
    fails(cli("import", "nope.json", code=None), 2, "nope.json", "no such file")
    fails(cli("import", cli.write("x", "{"), code=None), 2, "x:1:")


def test_an_id_that_another_job_has(cli: Cli) -> None:
    cli.enqueue("mine", id="ran")
    fails(cli("import", _write(cli, RECORDS), code=None), 1, "jobs.json", "'ran'")
    assert cli("list", "-o", "id").lines == ["ran"]
    assert not (cli.home / "output" / "long").exists()
