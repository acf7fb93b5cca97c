"""`queuectl audit`, and who is on record for what the command line does."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest
from cli_runner import Cli, fails

ME = getpass.getuser()


@pytest.fixture(autouse=True)
def _no_sudo(cli: Cli) -> None:
    cli.env.pop("SUDO_USER", None)


def actions(cli: Cli, *options: str) -> list[tuple[str, str | None, int]]:
    return [(each["action"], each["target"], each["count"]) for each in cli("audit", "--json", *options).json]


def test_jobs(cli: Cli) -> None:
    cli.enqueue(id="one")
    cli("enqueue", "--lines", "-", stdin="true\nfalse\n")
    cli("cancel", "one")
    cli("retry", "one")
    cli("remove", "one")
    cli("cancel", "--state", "pending", "--yes")
    found = actions(cli)
    assert [action for action, _, _ in found] == ["cancel", "remove", "retry", "cancel", "enqueue", "enqueue"]
    assert found[0][2] == 2
    assert found[-1] == ("enqueue", "one", 1)
    assert found[-2][2] == 2
    assert {each["actor"] for each in cli("audit", "--json").json} == {ME}


def test_dead_jobs_and_imports(cli: Cli) -> None:
    old = {name: {"command": "false", "state": "dead"} for name in ("a", "b")}
    cli.write("jobs.json", json.dumps(old))
    cli("import", "jobs.json")
    cli("dlq", "retry", "a")
    cli("dlq", "remove", "--yes")
    assert actions(cli) == [("remove", "b", 1), ("retry", "a", 1), ("import", "a…b", 2)]
    assert cli.job("a")["enqueued_by"] == ME


def test_settings_and_the_database(cli: Cli) -> None:
    cli("config", "set", "max_retries", "1")
    assert not (cli.home / "queue.db").exists()  # nothing to write it to: that is no reason to make a queue
    cli.enqueue()
    cli("config", "set", "max-retries", "2")
    cli("config", "set", "pools.default.env.TOKEN", "secret")
    cli("config", "unset", "max_retries")
    cli("config", "unset", "max_retries")
    cli("config", "reset", "--yes")
    cli("db", "vacuum")
    cli("db", "backup", "copy.db")
    cli("db", "restore", "copy.db", "--yes")
    assert actions(cli)[:-1] == [
        ("db restore", str(cli.directory / "copy.db"), 1),
        ("db vacuum", None, 1),
        ("config reset", None, 1),
        ("config unset", "max_retries", 1),
        ("config set", "pools.default.env.TOKEN", 1),
        ("config set", "max_retries=2", 1),
    ]


def test_workers(cli: Cli) -> None:
    cli.enqueue()
    try:
        cli("worker", "start")
        cli("worker", "scale", "default", "2")
        cli("worker", "reload", "default-0")
        cli("worker", "restart", "default-1")
    finally:
        cli("worker", "stop", "--force")
    cli("worker", "stop")
    assert actions(cli, "--action", "worker") == [
        ("worker stop", "default-0,default-1", 1),
        ("worker restart", "default-1", 1),
        ("worker reload", "default-0", 1),
        ("worker scale", "default=2", 1),
        ("worker start", "default-0", 1),
    ]


def test_through_sudo(cli: Cli) -> None:
    cli.env["SUDO_USER"] = "alice"
    job = cli.enqueue()
    cli.env.pop("SUDO_USER")
    cli.enqueue()
    assert cli.job(job)["enqueued_by"] == f"alice (as {ME})"
    assert f"alice (as {ME})" in cli("show", job).out
    assert [each["id"] for each in cli("list", "--by", "alice", "--json").json] == [job]
    assert [each["target"] for each in cli("audit", "--by", "alice", "--json").json] == [job]


def test_how_it_is_printed(cli: Cli) -> None:
    empty = cli("audit")
    assert empty.out == ""
    assert "hint: nothing is on record" in empty.err
    for n in range(3):
        cli.enqueue(id=f"j{n}")
    table = cli("audit", "--limit", "2")
    assert table.lines[0].split() == ["WHEN", "WHO", "ACTION", "COUNT", "TARGET"]
    assert [line.split()[1:] for line in table.lines[1:]] == [[ME, "enqueue", "1", "j2"], [ME, "enqueue", "1", "j1"]]
    assert "--limit 0 shows all" in table.err
    lines = [json.loads(line) for line in cli("audit", "-o", "jsonl", "--since", "1h").lines]
    assert [line["target"] for line in lines] == ["j2", "j1", "j0"]
    assert set(lines[0]) == {"at", "actor", "action", "target", "count"}
    fails(cli("audit", "--since", "soon", code=None), 2, "--since")


def test_what_cannot_be_written_down_was_done_all_the_same(cli: Cli) -> None:
    cli.enqueue()
    for path in cli.home.glob("queue.db*"):
        os.unlink(path)
    Path(cli.home, "queue.db").touch()
    done = cli("config", "set", "max_retries", "1")
    assert "done, but not written down" in done.err
    assert cli("config", "get", "max_retries").out == "1\n"
