"""Help and documentation say all there is."""

from __future__ import annotations

from inspect import cleandoc

import click
import pytest
from commands_doc import BEGIN, PAGE, commands, written

from queuectl.cli.catalogue import COMMANDS
from queuectl.cli.command import Command, Group
from queuectl.cli.main import PROGRAM, root

ALL = dict(commands(root))


def test_the_documentation_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert BEGIN + text.partition(BEGIN)[2] == written(), "run: .venv/bin/python tests/cli/commands_doc.py"


@pytest.mark.parametrize("path", ALL)
def test_every_command_is_explained(path: str) -> None:
    command = ALL[path]
    assert isinstance(command, (Command, Group))
    said = cleandoc(command.help or "")
    assert said.replace("\b\n", "").startswith(("Examples:\n", "Example:\n")), "help starts with examples"
    examples, _, text = said.partition("\n\n")
    assert text, "then it says what the command does"
    assert path in examples
    for option in command.params:
        assert isinstance(option, click.Argument) or option.hidden or option.help


def test_the_catalogue_names_what_is_there() -> None:
    for name, entry in COMMANDS.items():
        assert ALL[f"{PROGRAM} {name}"].name in (name, None), name
        assert entry.line[0].isupper()
        assert entry.line.endswith(".")
        assert len(entry.line) < 66


def test_options_mean_the_same_everywhere() -> None:
    shorts: dict[str, set[str]] = {}
    for command in ALL.values():
        for option in command.params:
            if isinstance(option, click.Option) and len(option.opts) > 1:
                shorts.setdefault(option.opts[0], set()).add(option.opts[1])
    assert shorts == {"-f": {"--file", "--follow"}, "-o": {"--output"}, "-y": {"--yes"}}
