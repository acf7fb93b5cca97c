"""`list`, `show` and `status`: what they print, and that nothing from a job can break it."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from cli_runner import PROGRAM, Cli, ids_of

from queuectl import __version__

NASTY = [
    "echo 'it''s' \"$HOME\" %d 100%",
    "printf 'a\nb'\techo",
    "echo [/nope] [bold]x[/bold] :smile:",
    "echo 😀 ÄÖ 漢字 e\u0301",
    "printf '\x1b[31mred\x1b[2J\x07\x9b'",
    "echo \u202eabc \u2028 \ufeff",
    "x" * 3000,
]
JOB = {
    *("id", "command", "state", "attempts", "max_retries", "priority", "queue", "timeout", "created_at", "updated_at"),
    *("run_at", "started_at", "finished_at", "exit_code", "signal", "error", "output", "worker", "tags", "reason"),
}
ATTEMPT = {
    *("number", "outcome", "host", "worker", "pid", "started_at", "finished_at", "exit_code", "signal", "error"),
    *("max_rss", "cpu_user", "cpu_system"),
}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_nasty_commands_come_back_as_they_are(cli: Cli) -> None:
    batch = json.dumps(
        [{"command": command, "description": command[:500], "tags": [command[:50]]} for command in NASTY]
    )
    cli("enqueue", "--batch", "-", stdin=batch)
    assert [job["command"] for job in cli("list", "--json").json] == NASTY[::-1]


def test_nasty_commands_keep_a_line_each(cli: Cli) -> None:
    ids = cli("enqueue", "--batch", "-", stdin=json.dumps([{"command": command} for command in NASTY])).lines
    for options in ([], ["--verbose"], ["--color", "always"]):
        result = cli("list", *options)
        lines = result.lines
        assert len(lines) == len(NASTY) + 1, options
        assert all(job_id in line for job_id, line in zip(reversed(ids), lines[1:], strict=True))
        plain = re.sub(r"\x1b\[[0-9;]*m", "", result.out)
        assert plain.replace("\n", "").isprintable()
        assert "[/nope] [bold]x[/bold] :smile:" in plain
    # Nothing is cut in a pipe, and what can't be seen is written out.
    text = cli("list").out
    assert "x" * 3000 in text
    assert r"printf 'a\nb'\techo" in text
    assert r"\x1b[31mred\x1b[2J\x07\x9b" in text
    for job_id in ids:
        assert cli("show", job_id).out.replace("\n", "").isprintable()


def test_columns_are_aligned(cli: Cli) -> None:
    cli.enqueue("a", queue="short")
    cli.enqueue("b", queue="quite-a-long-name")
    lines = cli("list").lines
    assert len({line.index(mark) for line, mark in zip(lines, ("CREATED", "20", "20"), strict=True)}) == 1
    assert not any(line.endswith(" ") for line in lines)


def test_columns_appear_where_they_are_used(cli: Cli) -> None:
    cli.enqueue("a")
    assert cli("list").lines[0].split() == ["ID", "STATE", "CREATED", "COMMAND"]
    cli.enqueue("b", queue="x", priority=5, tags=["t"], delay=60)
    assert cli("list").lines[0].split() == ["ID", "STATE", "QUEUE", "PRIO", "CREATED", "DUE", "TAGS", "COMMAND"]


def test_list_filters_and_forms(cli: Cli) -> None:
    one = cli.enqueue("echo one", queue="x", tags=["red", "big"])
    two = cli.enqueue("echo two", queue="x", tags=["red"], description="holiday")
    three = cli.enqueue("echo three", "--hold")

    def found(*options: str) -> list[str]:
        return cli("list", "-o", "id", *options).lines

    assert found() == [three, two, one]
    assert found("--limit", "2") == [three, two]
    assert found("--limit", "0") == [three, two, one]
    assert found("--queue", "x") == [two, one]
    assert found("--tag", "red", "--tag", "big") == [one]
    assert found("--search", "holi") == [two]
    assert found("--search", "one") == [one]
    assert found("--state", "held") == found("--state", "dead,held") == [three]
    assert found("--state", "held", "--state", "pending") == [three, two, one]
    assert found("--since", "1h") == [three, two, one]
    assert found("--since", "2090-01-01") == []
    assert ids_of(cli("list", "--json").json) == [three, two, one]
    assert [json.loads(line)["id"] for line in cli("list", "-o", "jsonl").lines] == [three, two, one]
    assert "--limit 0" in cli("list", "--limit", "2").err


def test_an_empty_list(cli: Cli) -> None:
    result = cli("list")
    assert (result.out, "hint" in result.err) == ("", True)
    assert cli("list", "--json").json == []
    assert cli("list", "-o", "jsonl").out == cli("list", "-o", "id").out == ""
    assert cli("list", "-q").err == ""
    assert "no job is like that" in cli("list", "--tag", "x").err


def test_the_json_of_jobs(cli: Cli) -> None:
    ok = cli.enqueue("printf 'a\\377\\000b'", timeout=1.5)
    bad = cli.enqueue("echo oops >&2; exit 3", max_retries=0, env={"SECRET": "hunter2"})
    cli.drain()
    for job in (*cli("list", "--json").json, cli.job(ok)):
        assert set(job) >= JOB
        assert all(RFC3339.fullmatch(job[key]) for key in ("created_at", "updated_at", "started_at", "finished_at"))
    job = cli.job(ok)
    assert (job["output"], job["timeout"], job["exit_code"], job["state"]) == ("a\ufffd\0b", 1.5, 0, "completed")
    assert (job["attempts"], job["worker"], job["error"], job["signal"]) == (1, "default-0", None, None)
    job = cli.job(bad)
    assert (job["state"], job["exit_code"], job["output"]) == ("dead", 3, "oops\n")
    [attempt] = job["attempts_log"]
    assert set(attempt) >= ATTEMPT
    assert (attempt["number"], attempt["outcome"], attempt["worker"]) == (1, "failed", "default-0")
    assert attempt["max_rss"] > 2**18
    text = cli("show", bad).out
    assert "SECRET" in text
    assert "hunter2" not in text + cli("list", "--verbose").out
    assert "oops" in text


def test_prefixes_are_ids(cli: Cli) -> None:
    cli.enqueue("a", id="report-1")
    cli.enqueue("b", id="report-2")
    assert cli.job("report-1")["command"] == "a"
    result = cli("show", "report", code=2)
    assert "report-1, report-2" in result.err
    assert result.raw == b""


def test_status(cli: Cli) -> None:
    cli.enqueue("true")
    cli.enqueue("exit 1", max_retries=0)
    cli.drain()
    cli.enqueue("true", queue="x")
    found = cli("status", "--json").json
    assert set(found) == {"jobs", "queues", "workers", "database"}
    assert found["jobs"] == {
        "pending": 1,
        "scheduled": 0,
        "blocked": 0,
        "held": 0,
        "processing": 0,
        "failed": 0,
        "completed": 1,
        "dead": 1,
        "cancelled": 0,
    }
    default, x = found["queues"]
    assert (default["name"], default["pending"], default["dead"], default["paused"]) == ("default", 0, 1, False)
    assert (x["name"], x["pending"], x["processing"]) == ("x", 1, 0)
    assert found["database"]["url"] == f"sqlite:///{cli.home}/queue.db"
    assert found["database"]["size"] > 4096
    [worker] = found["workers"]
    assert (worker["name"], worker["pool"], worker["pid"], worker["state"]) == ("default-0", "default", None, "stopped")
    text = cli("status").out
    assert re.search(r"^pending +1$", text, re.MULTILINE)
    assert "worker start" in cli("status").err


def test_status_check(cli: Cli) -> None:
    assert cli("status", "--check").code == 0
    cli.enqueue("exit 1", max_retries=0)
    found = cli("status", "--check", "--json", code=3).json
    assert [("no worker" in problem) for problem in found["problems"]] == [True]
    cli.drain()
    assert "1 dead job" in cli("status", "--check", code=3).out
    cli("dlq", "remove", "--yes")
    cli("status", "--check")
    assert "free on the disk" in cli("status", "--check", env={"QUEUECTL_MIN_FREE_SPACE": "900TB"}, code=3).out


def test_queuectl_alone(cli: Cli) -> None:
    assert cli().out.startswith("Usage:")
    assert not cli.home.exists()
    cli.enqueue()
    assert cli().lines[0].split() == ["pending", "1"]
    assert cli("--home", str(cli.home)).lines[0].split() == ["pending", "1"]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["enqueue", "-h"], ["worker", "start", "--help"]])
def test_help_touches_nothing(cli: Cli, words: list[str]) -> None:
    assert "Examples:" in cli(*words).out
    assert not cli.home.exists()


def test_version(cli: Cli) -> None:
    assert cli("--version").out == cli("version").out == f"queuectl {__version__}\n"
    assert set(cli("version", "--json").json) == {"queuectl", "python", "sqlite", "system"}
    assert "sqlite 3." in cli("version", "-v").out
    assert not cli.home.exists()


def test_global_options_before_and_behind(cli: Cli) -> None:
    other = str(cli.directory / "other")
    cli("--home", other, "enqueue", "--", "true")
    cli("enqueue", "--home", other, "--", "true")
    assert len(cli("list", "--home", other, "-o", "id").lines) == 2
    assert len(cli("--home", "/nowhere", "worker", "--home", other, "status").lines) == 2
    assert cli("list", "-q", "--home", other, "--limit", "1").err == ""
    assert not cli.home.exists()
    cli.write("q.yaml", "max_retries: 9\n")
    assert cli("config", "get", "max_retries", "--config", "q.yaml").out == "9\n"


def test_who_reads_us_may_stop(cli: Cli) -> None:
    cli("enqueue", "--lines", "-", stdin="true\n" * 5000)
    script = f"{{ {PROGRAM} list --limit 0; echo $? >&2; }} | head -1"
    done = subprocess.run(["sh", "-c", script], env=cli.env, capture_output=True, check=True)
    assert done.stdout.startswith(b"ID ")
    assert done.stderr == b"141\n"


def test_a_full_disk_behind_the_output(cli: Cli) -> None:
    cli.enqueue()
    done = subprocess.run(["sh", "-c", f"{PROGRAM} list > /dev/full"], env=cli.env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"queuectl: error: no space left on device\n")


def test_closed_streams_are_no_matter(cli: Cli) -> None:
    done = subprocess.run(["sh", "-c", f"{PROGRAM} enqueue -- true <&- >&- 2>&-"], env=cli.env, check=False)
    assert done.returncode == 0
    assert len(cli("list", "-o", "id").lines) == 1


def test_other_locales(cli: Cli) -> None:
    cli.enqueue("echo ä 😀")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    assert r"echo \xe4 \U0001f600" in cli("list", env=env).out
    assert cli("list", "--json", env=env).json[0]["command"] == "echo ä 😀"
