"""What one does to jobs: cancel, hold, release, retry, remove, and the DLQ."""

from __future__ import annotations

from cli_runner import Cli, fails


def _state(cli: Cli, job_id: str) -> str:
    return str(cli.job(job_id)["state"])


def _dead(cli: Cli, *ids: str, **keys: object) -> None:
    for job_id in ids:
        cli.enqueue(f"echo {job_id}; exit 3", id=job_id, max_retries=0, **keys)
    cli.drain()


def test_hold_release_cancel_retry_remove(cli: Cli) -> None:
    job_id = cli.enqueue()
    assert "held" in cli("hold", job_id, "--reason", "for [now]").err
    assert cli.job(job_id)["reason"] == "for [now]"
    fails(cli("hold", job_id, code=None), 1, "held")
    cli("release", job_id)
    fails(cli("release", job_id, code=None), 1, "not held")
    fails(cli("retry", job_id, code=None), 1, "pending")
    assert cli("cancel", job_id, "--json").json[0]["state"] == "cancelled"
    fails(cli("cancel", job_id, code=None), 1, "cancelled")
    cli("retry", job_id[:4])
    assert _state(cli, job_id) == "pending"
    assert cli("remove", job_id, "--json").json == {"removed": 1, "ids": [job_id]}
    fails(cli("remove", job_id, code=None), 4, job_id)


def test_one_that_can_not_be_does_not_keep_the_others(cli: Cli) -> None:
    one, two = cli.enqueue(), cli.enqueue()
    result = cli("cancel", one, "nope", two, code=4)
    assert (_state(cli, one), _state(cli, two)) == ("cancelled", "cancelled")
    assert result.err.count("error") == 1
    assert cli("cancel", one, "nope", code=1).err.count("error") == 2


def test_filters(cli: Cli) -> None:
    one, two, other = cli.enqueue(queue="x"), cli.enqueue(queue="x"), cli.enqueue()
    cli("hold", two)
    assert "2 jobs" in cli("hold", "--queue", "x", "--state", "held,pending", "--dry-run").out.replace(
        "1 job.", "2 jobs"
    )
    assert "1 job released" in cli("release", "--queue", "x").err
    fails(cli("cancel", "--queue", "x", code=None), 2, "Cancel 2 jobs?", "--yes")
    assert cli("cancel", "--queue", "x", "--dry-run").out == "It would be 2 jobs.\n"
    assert len(cli("cancel", "--queue", "x", "--yes", "--json").json) == 2
    assert [_state(cli, each) for each in (one, two, other)] == ["cancelled", "cancelled", "pending"]
    assert "2 jobs pending again" in cli("retry", "--state", "cancelled").err
    fails(cli("remove", "--queue", "x", code=None), 2, "--yes")
    assert cli("remove", "--queue", "x", "--dry-run").out == "It would be 2 jobs.\n"
    assert cli("remove", "--queue", "x", "--yes", "--json").json["removed"] == 2
    assert cli("remove", "--queue", "x", "--json").json == {"removed": 0, "ids": []}
    assert cli("list", "-o", "id").lines == [other]


def test_remove_forgets_the_output(cli: Cli) -> None:
    job_id = cli.enqueue("head -c 100000 /dev/zero")
    cli.drain()
    directory = cli.home / "output" / job_id
    assert directory.exists()
    cli("remove", "--state", "completed", "--yes")
    assert not directory.exists()


def test_dlq(cli: Cli) -> None:
    _dead(cli, "a", "b", "c")
    cli.enqueue(id="alive")
    assert cli("dlq", "list", "-o", "id").lines == ["c", "b", "a"]
    assert "exit 3" in cli("dlq", "list", "--verbose").out
    found = cli("dlq", "stats", "--json").json
    assert (found["total"], found["mean_attempts"]) == (3, 1.0)
    assert found["errors"] == [{"error": "exit 3", "count": 3}]
    assert found["oldest"] <= found["newest"]
    assert "exit 3" in cli("dlq", "stats", "--verbose").out
    assert cli("dlq", "show", "a", "--json").json["exit_code"] == 3
    for words in (["show"], ["retry"], ["remove"]):
        fails(cli("dlq", *words, "alive", code=None), 1, "not dead")
        fails(cli("dlq", *words, "nope", code=None), 4, "nope")
    job = cli("dlq", "retry", "a", "--json").json
    assert (job["state"], job["attempts"]) == ("pending", 0)
    cli("dlq", "retry", "b", "--keep-attempts")
    assert cli.job("b")["attempts"] == 1
    cli("dlq", "remove", "c")
    assert cli("dlq", "list", "--json").json == []
    assert "no job is dead" in cli("dlq", "list").err


def test_dlq_in_bulk(cli: Cli) -> None:
    _dead(cli, *"abc")
    assert "3 jobs pending again" in cli("dlq", "retry").err
    cli.drain()
    fails(cli("dlq", "remove", code=None), 2, "--yes")
    assert cli("dlq", "remove", "--yes", "--json").json["removed"] == 3
    assert cli("dlq", "remove").code == 0
    assert cli("dlq", "retry", "--json").json == {"retried": 0, "refused": []}
    assert cli("dlq", "stats", "--json").json == {
        "total": 0,
        "mean_attempts": 0.0,
        "oldest": None,
        "newest": None,
        "errors": [],
    }


def test_a_key_taken_by_another_keeps_one_dead_and_not_all(cli: Cli) -> None:
    _dead(cli, "a", "b")
    _dead(cli, "c", unique_key="k")
    cli.enqueue("true", id="d", unique_key="k")
    result = cli("dlq", "retry", code=1)
    assert "2 jobs pending again" in result.err
    assert "key of c" in result.err
    fails(cli("dlq", "retry", "c", code=None), 1, "'k'")
