"""`queuectl enqueue`, where it works."""

from __future__ import annotations

import json
import time

import pytest
from cli_runner import Cli


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (['{"command": "echo hi"}'], ""),
        (["job.json"], ""),
        (["--file", "job.json"], ""),
        (["-f", "job.json"], ""),
        (["-"], '{"command": "echo hi"}'),
        (["-f", "-"], '\ufeff{"command": "echo hi"}\n'),
        (["--", "echo", "hi"], ""),
    ],
)
def test_ways_to_say_a_job(cli: Cli, words: list[str], stdin: str) -> None:
    cli.write("job.json", '{"command": "echo hi"}\n')
    job_id = cli("enqueue", *words, stdin=stdin).out
    assert job_id.endswith("\n")
    job = cli.job(job_id.strip())
    assert (job["command"], job["state"], job["queue"]) == ("echo hi", "pending", "default")
    assert job["argv"] == (["echo", "hi"] if words[0] == "--" else None)


def test_what_stands_behind_the_dashes_is_left_alone(cli: Cli) -> None:
    job = cli("enqueue", "--json", "--", "grep", "--", "-v", "--json", "a b").json
    assert job["argv"] == ["grep", "--", "-v", "--json", "a b"]
    assert job["command"] == "grep -- -v --json 'a b'"


def test_one_word_with_a_space_gets_a_hint(cli: Cli) -> None:
    assert "sh -c" in cli("enqueue", "--", "echo hi").err
    assert "sh -c" in cli("enqueue", "--", "a|b").err
    assert cli("enqueue", "--", "echo", "a b").err == ""
    assert cli("enqueue", "-q", "--", "echo hi").err == ""


def test_options_win_over_a_single_job(cli: Cli) -> None:
    given = {"command": "true", "priority": 1, "delay": 500, "env": {"A": "1", "B": "1"}, "tags": ["a"], "queue": "x"}
    job = cli(
        *("enqueue", json.dumps(given), "--json", "--priority", "-5", "--at", "2090-01-01T00:00:00Z"),
        *("--env", "B=2=3", "--env", "C=", "--tag", "b", "--max-retries", "0", "--timeout", "1h30m", "--key", "k"),
        *("--id", "one", "--cwd", "sub"),
    ).json
    assert (job["id"], job["priority"], job["queue"], job["max_retries"]) == ("one", -5, "x", 0)
    assert (job["run_at"], job["state"]) == ("2090-01-01T00:00:00.000Z", "scheduled")
    assert job["env"] == {"A": "***", "B": "***", "C": "***"}
    assert cli.job("one")["env"] == {"A": "1", "B": "2=3", "C": ""}
    assert (job["tags"], job["timeout"], job["unique_key"]) == (["a", "b"], 5400, "k")
    assert job["cwd"] == str(cli.directory / "sub")


def test_a_line_wins_over_the_options(cli: Cli) -> None:
    lines = ['{"command": "a", "priority": 1, "env": {"B": "1"}}', "", '{"command": "b", "run_at": "2090-01-01"}']
    ids = cli(
        "enqueue", "--batch", "-", "--priority", "7", "--env", "B=2", "--delay", "5", stdin="\n".join(lines)
    ).lines
    first, second = (cli.job(job_id) for job_id in ids)
    assert (first["priority"], first["env"], first["state"]) == (1, {"B": "1"}, "scheduled")
    assert (second["priority"], second["env"], second["run_at"][:4]) == (7, {"B": "2"}, "2090")


@pytest.mark.parametrize(
    "text",
    [
        '[{"command": "a"},\n {"command": "b"}]',
        '{"command": "a"}\r\n\n{"command": "b"}',
        ' [ {"command":"a"} , {"command":"b"} ] ',
    ],
)
def test_batch_forms(cli: Cli, text: str) -> None:
    cli.write("jobs", text)
    found = cli("enqueue", "--batch", "jobs", "--json").json
    assert found["enqueued"] == 2
    assert [cli.job(job_id)["command"] for job_id in found["ids"]] == ["a", "b"]


def test_lines(cli: Cli) -> None:
    ids = cli("enqueue", "--lines", "-", stdin="echo 'a|b' | cat\n\n   \n  echo [/nope] \r\n").lines
    assert [cli.job(job_id)["command"] for job_id in ids] == ["echo 'a|b' | cat", "  echo [/nope] "]


@pytest.mark.parametrize("option", ["--batch", "--lines"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_nothing_is_no_job_and_no_error(cli: Cli, option: str, text: str) -> None:
    result = cli("enqueue", option, "-", stdin=text)
    assert (result.out, "no jobs" in result.err) == ("", True)
    assert cli("enqueue", option, "-", "--json", stdin=text).json == {"enqueued": 0, "ids": []}


def test_an_empty_array_has_no_job(cli: Cli) -> None:
    assert cli("enqueue", "--batch", "-", "--json", stdin=" [ ] ").json["enqueued"] == 0


def test_hold_delay_and_wait(cli: Cli) -> None:
    held = cli("enqueue", "--hold", "--json", "--", "true").json
    assert held["state"] == "held"
    assert cli("enqueue", "--delay", "1h", "--json", "--", "true").json["state"] == "scheduled"
    assert cli("enqueue", "--delay", "0", "--json", "--", "true").json["state"] == "pending"


def test_validate_queues_nothing(cli: Cli) -> None:
    assert "Valid" in cli("enqueue", "--validate", '{"command": "echo test"}').out
    assert cli("enqueue", "--validate", "--lines", "-", "--json", stdin="a\nb").json == {"valid": True, "jobs": 2}
    cli("enqueue", "--validate", '{"command": 5}', code=2)
    assert not cli.home.exists()


@pytest.mark.parametrize("when", ["22:00", "tomorrow 6:30", "2090-01-02 03:04", "2090-01-02"])
def test_times_as_people_type_them(cli: Cli, when: str) -> None:
    assert cli("enqueue", "--at", when, "--json", "--", "true").json["state"] == "scheduled"


def test_a_clock_time_is_the_next_one(cli: Cli) -> None:
    env = {"TZ": "Asia/Kathmandu"}
    job = cli("enqueue", "--at", "12:00", "--json", "--", "true", env=env).json
    assert job["run_at"].endswith("T06:15:00.000Z")


def test_a_hundred_thousand_lines(cli: Cli) -> None:
    # The promise is 30,000 a second; a test looks for a blunder, not at a clock.
    cli.write("lines", "".join(f"echo {n}\n" for n in range(100_000)))
    began = time.monotonic()
    ids = cli("enqueue", "--lines", "lines").lines
    assert len(set(ids)) == 100_000
    assert time.monotonic() - began < 15
