"""The part of docs/commands.md that is made from the commands themselves.

.venv/bin/python tests/cli/commands_doc.py      # writes it anew
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from queuectl.cli.command import GLOBAL
from queuectl.cli.main import PROGRAM, root

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BEGIN = "<!-- From here on it is made by tests/cli/commands_doc.py. -->\n"


def commands(command: click.Command, path: str = PROGRAM) -> Iterator[tuple[str, click.Command]]:
    """Every command by what one types, those in groups too."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def written() -> str:
    """The generated part."""
    return BEGIN + "\n" + "\n".join(_section(path, command) for path, command in commands(root))


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    paragraphs = cleandoc(command.help or "").replace("\b\n", "").split("\n\n")
    examples = next(paragraph for paragraph in paragraphs if paragraph.startswith("Example"))
    said = "\n\n".join(paragraph for paragraph in paragraphs if paragraph is not examples)
    lines = [f"{'#' * (2 + path.count(' '))} {path}", ""]
    lines += ["```", " ".join([path, *command.collect_usage_pieces(context)]), "```", ""]
    lines += [said.strip(), "", "```sh", *(line.strip() for line in examples.splitlines()[1:]), "```", ""]
    own = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    lines += [_option(option) for option in own] + [""] * bool(own)
    if path == PROGRAM:
        lines += ["Every command has these options too, before and after its name:", ""]
        lines += [*(_option(option) for option in GLOBAL), "- `-h`, `--help`: Show what it takes.", ""]
    return "\n".join(lines)


def _option(option: click.Option) -> str:
    metavar = "" if option.is_flag or option.count else f" {option.make_metavar(click.Context(root))}"
    names = ", ".join(f"`{name}{metavar if name == option.opts[-1] else ''}`" for name in option.opts)
    default = f" Default: {option.default}." if option.show_default else ""
    return f"- {names}: {option.help}{default}"


if __name__ == "__main__":
    before = PAGE.read_text().partition(BEGIN)[0]
    PAGE.write_text(before + written())
