"""What is wrong is said in one line, with the right exit code; nothing is queued, nothing overwritten."""

from __future__ import annotations

import subprocess

import pytest
from cli_runner import PROGRAM, Cli, fails

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{command: echo}", ["line 1 column 2", "single quotes"]),
        ("{'command': 'echo'}", ["line 1 column 2", "single quotes"]),
        ('{"command": "echo"', ["column", "single quotes"]),
        ('{"command": "echo"} x', ["extra data"]),
        ('{"command": "a", "command": "b"}', ['"command" is there twice']),
        ('{"command": NaN}', ["NaN"]),
        (f'{{"command": {DEEP}}}', ["nested"]),
        (f'{{"command": "x", "priority": {"9" * 5000}}}', ["can't be read"]),
        ('{"command": "x", "priority": 99999999999999999999}', ['"priority"', "whole number"]),
        ('["echo"]', ["--batch", "list"]),
        ('{"command": "x", "priority": "high"}', ['"priority"', "whole number", "'high'"]),
        ('{"command": "x", "priority": true}', ['"priority"', "whole number"]),
        ('{"command": "x", "max_retries": -1}', ['"max_retries"', "0", "-1"]),
        ('{"command": "x", "timout": 5}', ['"timout"', 'did you mean "timeout"']),
        ('{"command": "x", "timeout": "soon"}', ['"timeout"', "1h30m", "'soon'"]),
        ('{"command": "x", "env": {"A": 1}}', ['"env"', "A"]),
        ('{"command": "x\\u0000y"}', ['"command"', "NUL"]),
        ('{"command": "\\ud800"}', ['"command"', "UTF-8"]),
        ('{"command": ""}', ['"command"']),
        ('{"command": "   "}', ['"command"', "blanks"]),
        ('{"command": "x", "argv": ["x"]}', ['"argv"', "both"]),
        ('{"argv": []}', ['"argv"', "list"]),
        ("{}", ['"command"', "neither"]),
        ('{"command": "x", "id": "../etc"}', ['"id"', "characters"]),
        ('{"command": "x", "nice": 5}', ['"nice"', "not built yet"]),
        ('{"command": "x", "run_at": "2090-01-01", "delay": 5}', ["run_at", "delay", "both"]),
    ],
)
def test_bad_jobs(cli: Cli, text: str, words: list[str]) -> None:
    fails(cli("enqueue", text, code=None), 2, *words)
    cli.write("job.json", text)
    result = cli("enqueue", "job.json", code=None)
    fails(
        result, 2, "job.json", *[word for word in words if word not in ("single quotes", "line 1 column 2", "column")]
    )
    assert not cli.home.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["expected a job", "-- echo"]),
        (["--"], ["expected a command behind --"]),
        (["nope.json"], ["nope.json", "no such file"]),
        (["make"], ["'make'", "enqueue -- make"]),
        (["make", "test"], ["2 words", "enqueue -- make test"]),
        ([""], ["expected a job as JSON"]),
        (["{command:", "echo hi}"], ["2 words", "single quotes"]),
        (["-f", "nope.json"], ["nope.json", "no such file"]),
        (["-f", "."], ["is a directory"]),
        (["--batch", "nope"], ["nope", "no such file"]),
        (['{"command": "x"}', "--batch", "-"], ["several"]),
        (["--lines", "-", "--id", "x"], ["--id"]),
        (["--priority", "high", "--", "true"], ["--priority", "high"]),
        (["--env", "A", "--", "true"], ["--env", "NAME=VALUE"]),
        (["--timeout", "soon", "--", "true"], ["timeout", "1h30m"]),
        (["--at", "25:00", "--", "true"], ["--at", "22:00"]),
        (["--delay", "5", "--at", "22:00", "--", "true"], ["both"]),
        (["--max-retries", "-1", "--", "true"], ["max_retries", "-1"]),
        (["--prioriti", "5", "--", "true"], ["--prioriti", "--priority"]),
        (["--id", "a/b", "--", "true"], ["id"]),
        (["--after", "x", "--", "true"], ["--after"]),
    ],
)
def test_bad_words(cli: Cli, words: list[str], said: list[str]) -> None:
    fails(cli("enqueue", *words, code=None), 2, *said)
    assert not cli.home.exists()


@pytest.mark.parametrize(
    ("option", "data", "said"),
    [
        ("--batch", b'{"command": "a"}\n{"command": "b", "timout": 1}\n', ["jobs:2:", '"timout"', '"timeout"']),
        ("--batch", b'{"command": "a"}\n\n{"command": \n', ["jobs:3:", "ends too early"]),
        ("--batch", b'{"command": "a"}\n"echo"\n', ["jobs:2:", "object"]),
        ("--batch", b'{\n"command": "a"}\n', ["jobs:1:", "jq -c"]),
        ("--batch", b'[{"command": "a"},\n{"command": 5}]', ["jobs:2:", '"command"']),
        ("--batch", b'[{"command": "a"},\n{"command": "b"}', ["isn't closed"]),
        ("--batch", b'[{"command": "a"}\n{"command": "b"}]', ["jobs:2:", "`,`"]),
        ("--batch", b'[{"command": "a"},]', ["jobs:1:"]),
        ("--batch", b'[{"command": "a"}] x', ["nothing behind"]),
        ("--batch", b'[{"command": "a", "command": "b"}]', ["jobs:1:", "twice"]),
        ("--batch", b"[" * 100_000, ["can't be read"]),
        ("--batch", b'{"command": "a"}\n{"command": "\xff"}\n', ["jobs:2", "UTF-8", "0xff"]),
        ("--lines", b"true\necho \xff\n", ["jobs:2", "UTF-8", "0xff"]),
        ("--lines", b"true\necho \0\n", ["jobs:2", "NUL"]),
        ("--lines", b"true\necho " + b"x" * 140_000, ["jobs:2", "131071 bytes"]),
    ],
)
def test_bad_batches_queue_nothing(cli: Cli, option: str, data: bytes, said: list[str]) -> None:
    cli.write("jobs", data)
    fails(cli("enqueue", option, "jobs", code=None), 2, *said)
    assert not cli.home.exists()


def test_standard_input_has_a_name(cli: Cli) -> None:
    fails(cli("enqueue", "--lines", "-", stdin="true\n\0\n", code=None), 2, "standard input:2")
    fails(cli("enqueue", "-", stdin="[]", code=None), 2, "standard input", "--batch FILE")


def test_arguments_that_are_not_utf8(cli: Cli) -> None:
    fails(cli("enqueue", "--", b"echo", b"\xff", code=None), 2, "argv", "UTF-8")
    fails(cli("enqueue", b"\xff.json", code=None), 2, "no such file")
    fails(cli("show", b"\xff", code=None), 2, "UTF-8")


def test_duplicates(cli: Cli) -> None:
    cli.enqueue("true", id="one", unique_key="k")
    fails(cli("enqueue", '{"command": "x", "id": "one"}', code=None), 1, "'one'", "already")
    fails(cli("enqueue", "--key", "k", "--", "x", code=None), 1, "'k'", "one")
    batch = '{"command": "a"}\n{"command": "b", "id": "one"}'
    fails(cli("enqueue", "--batch", "-", stdin=batch, code=None), 1, "standard input:2", "'one'")
    twice = '{"command": "a", "id": "x"}\n{"command": "b", "id": "x"}'
    fails(cli("enqueue", "--batch", "-", stdin=twice, code=None), 1, "standard input:2", "twice")
    assert cli("list", "-o", "id").lines == ["one"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["lst"], 2, ["'lst'", "'list'"]),
        (["worker", "strat"], 2, ["'strat'", "'start'"]),
        (["worker"], 2, ["missing command", "queuectl worker --help"]),
        (["list", "--stat", "dead"], 2, ["--stat", "--state"]),
        (["list", "--state", "ded"], 2, ["'ded'", "'dead'"]),
        (["list", "--limit", "-1"], 2, ["--limit"]),
        (["list", "--since", "yesterday"], 2, ["--since"]),
        (["list", "-o", "yaml"], 2, ["yaml"]),
        (["show"], 2, ["ID"]),
        (["show", "nope"], 4, ["'nope'"]),
        (["show", ""], 4, ["''"]),
        (["logs", "nope"], 4, ["'nope'"]),
        (["cancel"], 2, ["ids, or a filter"]),
        (["cancel", "x", "--queue", "y"], 2, ["both"]),
        (["wait", "x", "--timeout", "soon"], 125, ["--timeout"]),
        (["wait", "nope"], 125, ["'nope'"]),
        (["--home", "", "list"], 2, ["--home"]),
        (["config", "set", "max_retry", "5"], 2, ["max_retries"]),
        (["config", "set", "max_retries", "many"], 2, ["whole number"]),
        (["config", "get", "nope"], 2, ["nope"]),
        (["worker", "start", "--count", "11"], 2, ["max_workers", "11"]),
        (["worker", "scale", "nope", "1"], 2, ["'nope'"]),
        (["worker", "run", "--pool", "nope"], 2, ["'nope'"]),
        (["worker", "logs", "nope"], 2, ["'nope'"]),
        (["worker", "stop", "--pool", "nope"], 2, ["'nope'"]),
        (["completion", "tcsh"], 2, ["tcsh"]),
        (["--color", "blue", "list"], 2, ["blue"]),
    ],
)
def test_bad_calls(cli: Cli, words: list[str], code: int, said: list[str]) -> None:
    fails(cli(*words, code=None), code, *said)


def test_bad_configuration_has_a_line_for_each_problem(cli: Cli) -> None:
    cli.write("bad.yaml", "max_retries: many\nworker_timout: 5\n")
    result = cli("--config", "bad.yaml", "list", code=78)
    lines = [line for line in result.err.splitlines() if line.startswith("queuectl: error: ")]
    assert ["bad.yaml:1" in lines[0], "bad.yaml:2" in lines[1], len(lines)] == [True, True, 2]
    assert "worker_timeout" in lines[1]
    cli("--config", "bad.yaml", "config", "check", code=78)
    cli("--config", "nope.yaml", "status", code=78)
    cli("status", env={"QUEUECTL_MAX_RETRIES": "many"}, code=78)


def test_a_file_where_the_home_should_be(cli: Cli) -> None:
    cli.write("home", "mine")
    assert cli("enqueue", "--", "true", code=None).code in (1, 78)
    assert cli.home.read_text() == "mine"


def test_a_working_directory_that_is_gone(cli: Cli) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {PROGRAM} enqueue -- true"
    done = subprocess.run(["sh", "-c", script], cwd=cli.directory, env=cli.env, capture_output=True, check=False)
    assert (done.returncode, b"working directory is gone" in done.stderr) == (2, True)
