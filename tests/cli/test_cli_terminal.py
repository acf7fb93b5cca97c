"""On a terminal: colour, sentences, questions, progress. By a pty."""

from __future__ import annotations

import re

import pexpect
import pytest
from cli_runner import PROGRAM, Cli


def at_terminal(
    cli: Cli, *words: str, answer: str | None = None, env: dict[str, str] | None = None, columns: int = 100
) -> tuple[str, int]:
    """What a person would see, and the exit code."""
    child = pexpect.spawn(
        PROGRAM,
        list(words),
        env={**cli.env, **(env or {})},
        cwd=str(cli.directory),
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=30,
    )
    seen = ""
    if answer is not None:
        child.expect_exact("[y/N] ")
        seen = str(child.before) + "[y/N] "
        child.send(answer)
    child.expect(pexpect.EOF)
    seen += str(child.before)
    child.close()
    assert "Traceback" not in seen
    return seen.replace("\r\n", "\n"), int(child.exitstatus or 0)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_sentence_and_a_hint(cli: Cli) -> None:
    seen, _ = at_terminal(cli, "enqueue", "--", "true")
    assert re.search(r"^Enqueued [a-z2-7]{8} in queue default, timeout 5m$", seen, re.MULTILINE)
    assert "hint: no worker serves queue default: queuectl worker start" in seen
    assert "held until `queuectl release" in at_terminal(cli, "enqueue", "--hold", "--timeout", "0", "--", "true")[0]
    assert (
        "timeout none, runs in 1 h" in at_terminal(cli, "enqueue", "--delay", "1h", "--timeout", "0", "--", "true")[0]
    )
    assert re.fullmatch(r"[a-z2-7]{8}\n", at_terminal(cli, "enqueue", "-q", "--", "true")[0])


def test_colour_and_relative_times(cli: Cli) -> None:
    cli.enqueue("exit 2", max_retries=0)
    cli.drain()
    seen, _ = at_terminal(cli, "list")
    assert "\x1b[" in seen
    assert "dead (2)" in plain(seen)
    assert re.search(r"\bnow\b|\d+ s ago", plain(seen))
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in at_terminal(cli, "list", env=env)[0]
    assert "\x1b[" not in at_terminal(cli, "list", "--color", "never")[0]
    assert "\x1b[" in at_terminal(cli, "list", "--color", "always", env={"NO_COLOR": "1"})[0]
    for words in (["status"], ["show", cli("list", "-o", "id").out.strip()], ["dlq", "stats"], ["config", "show"]):
        assert "\x1b[" in at_terminal(cli, *words)[0]
        assert "\x1b[" not in at_terminal(cli, *words, env={"NO_COLOR": "1"})[0]
    assert "\x1b" not in cli("list", "--color", "auto").out
    assert "\x1b" in cli("list", "--color", "always").out


def test_a_narrow_terminal_cuts_commands_and_no_ids(cli: Cli) -> None:
    job_id = cli.enqueue("echo " + "x" * 500, priority=5, tags=["some-tag"])
    seen, _ = at_terminal(cli, "list", columns=70)
    row = plain(seen).splitlines()[1]
    assert row.startswith(job_id)
    assert row.rstrip().endswith("…")
    assert len(row) <= 70
    assert job_id in at_terminal(cli, "list", columns=20)[0]


def test_escapes_of_a_job_never_reach_the_terminal(cli: Cli) -> None:
    nasty = "printf '\x1b]0;title\x07\x1b[2J[bold]'"
    job_id = cli.enqueue(nasty)
    cli.drain()
    for words in (["list"], ["show", job_id], ["logs", job_id]):
        seen, _ = at_terminal(cli, *words)
        assert "\x1b]" not in seen
        assert "\x1b[2J" not in seen
        assert r"\x1b]0;title\x07\x1b[2J[bold]" in seen


def test_logs_keep_colours_alone(cli: Cli) -> None:
    job_id = cli.enqueue(r"printf '\033[31mred\033[0m 10%%\r20%%\r\n\377\033[A\033'")
    cli.drain()
    seen, _ = at_terminal(cli, "logs", job_id)
    assert "\x1b[31mred\x1b[0m 10%\n20%\n\ufffd\\x1b[A\\x1b" in seen
    seen, _ = at_terminal(cli, "logs", job_id, env={"NO_COLOR": "1"})
    assert "red 10%\n20%\n\ufffd\\x1b[A\\x1b\n" in seen
    assert "\x1b" not in seen


@pytest.mark.parametrize(
    ("answer", "left", "code"),
    [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1), ("\x04", 1, 1), ("\x03", 1, 130)],
)
def test_questions(cli: Cli, answer: str, left: int, code: int) -> None:
    cli.enqueue(queue="x")
    _, exit_code = at_terminal(cli, "remove", "--queue", "x", answer=answer)
    assert (len(cli("list", "-o", "id").lines), exit_code) == (left, code)


def test_no_question_where_nothing_would_go(cli: Cli) -> None:
    assert at_terminal(cli, "dlq", "remove")[1] == 0
    assert "[y/N]" in at_terminal(cli, "config", "reset", answer="n\n")[0]


def test_progress(cli: Cli) -> None:
    cli.write("lines", "true\n" * 20_000)
    seen, _ = at_terminal(cli, "enqueue", "--lines", "lines")
    assert "#] 20,000 of 20,000 lines" in seen
    assert "Enqueued 20,000 jobs" in seen
    assert "#" not in at_terminal(cli, "enqueue", "--lines", "lines", "-q")[0]
    assert "#" not in cli("enqueue", "--lines", "lines").err


def test_help_and_errors_are_plain(cli: Cli) -> None:
    assert "\x1b" not in at_terminal(cli, "--help")[0]
    seen, code = at_terminal(cli, "show", "\x1b[2Jx")
    assert (code, r"\x1b[2Jx" in seen, "\x1b" in seen) == (4, True, False)
