"""Man pages, made of the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc

import click

from queuectl import __version__
from queuectl.cli.catalogue import COMMANDS
from queuectl.cli.command import GLOBAL
from queuectl.cli.main import PROGRAM, root

_ROOT = """\
.SH ENVIRONMENT
.TP
.B QUEUECTL_HOME
The directory of the queue, as
.BR \\-\\-home .
.TP
.B QUEUECTL_CONFIG
The YAML, as
.BR \\-\\-config .
.TP
.BI QUEUECTL_ KEY
Any setting, such as QUEUECTL_MAX_RETRIES.
.TP
.B NO_COLOR
No colour, unless
.B \\-\\-color
says otherwise.
.SH FILES
.TP
.I /etc/queuectl/queuectl.yaml
The configuration of the system's queue. Where it exists, that queue is everybody's who names no other.
.TP
.I /var/lib/queuectl
The system's queue.
.TP
.I ~/.queuectl
Your own, with queuectl.yaml in it.
.SH EXIT STATUS
0 = done, 1 = it failed, 2 = a wrong call. The page of a command says where it has others.
"""


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    context = click.Context(root, info_name=PROGRAM)
    commands = {name: _command(root, context, name) for name in root.list_commands(context)}
    made = {f"{PROGRAM}.1": _root_page(commands)}
    for name, command in commands.items():
        made[f"{PROGRAM}-{name}.1"] = _page(name, command)
    return made


def _command(group: click.Group, context: click.Context, name: str) -> click.Command:
    found = group.get_command(context, name)
    if found is None:
        raise LookupError(name)
    return found


def _root_page(commands: dict[str, click.Command]) -> str:
    text, examples = _said(root)
    lines = [*_head(PROGRAM, "durable background jobs for shell commands"), *_synopsis([PROGRAM], root), text]
    lines.append(".SH COMMANDS")
    for name in commands:
        lines += [".TP", f".BR {_roff(f'{PROGRAM}-{name}')} (1)", _roff(COMMANDS[name].line)]
    lines += [*_options(root.params, "SH OPTIONS"), *_options(GLOBAL, "SH OPTIONS OF EVERY COMMAND")]
    return "\n".join(lines) + "\n" + _ROOT + _examples(examples, ".SH")


def _page(name: str, command: click.Command) -> str:
    path = [PROGRAM, name]
    text, examples = _said(command)
    lines = [*_head("-".join(path), COMMANDS[name].line.rstrip("."))]
    if not isinstance(command, click.Group):
        lines += [*_synopsis(path, command), text, *_options(command.params, "SH OPTIONS"), ""]
        return _joined(lines, examples)
    context = click.Context(command, info_name=name)
    members = {each: _command(command, context, each) for each in command.list_commands(context)}
    lines.append(".SH SYNOPSIS")
    for each, member in members.items():
        lines += [_usage([*path, each], member), ".br"]
    lines[-1:] = [".SH DESCRIPTION", text, ".SH COMMANDS"]
    for each, member in members.items():
        about, its_examples = _said(member)
        lines += [
            f".SS {_roff(' '.join([*path, each]))}",
            about,
            *_options(member.params),
            ".PP",
            *_lines(its_examples),
        ]
    return _joined(lines, examples)


def _joined(lines: list[str], examples: list[str]) -> str:
    also = f".SH SEE ALSO\n.BR {PROGRAM} (1)\n"
    return "\n".join(filter(None, lines)) + "\n" + _examples(examples, ".SH") + also


def _head(title: str, line: str) -> Iterator[str]:
    yield '.\\" Made by deploy/generate.py: change the command instead.'
    yield f'.TH {_roff(title.upper())} 1 "" "{PROGRAM} {__version__}" "{PROGRAM}"'
    yield ".SH NAME"
    yield f"{_roff(title)} \\- {_roff(line)}"


def _synopsis(path: list[str], command: click.Command) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    yield _usage(path, command)
    yield ".SH DESCRIPTION"


def _usage(path: list[str], command: click.Command) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=path[-1]))
    return "\n".join([f".B {_roff(' '.join(path))}", *map(_roff, [" ".join(pieces)] if pieces else [])])


def _said(command: click.Command) -> tuple[str, list[str]]:
    """What the help says, as roff, and its examples."""
    paragraphs = cleandoc(command.help or "").replace("\b\n", "").split("\n\n")
    examples = [line.strip() for each in paragraphs if each.startswith("Example") for line in each.splitlines()[1:]]
    said = [_roff(" ".join(each.split())) for each in paragraphs if not each.startswith("Example")]
    return "\n.PP\n".join(said), examples


def _options(params: Iterable[click.Parameter], heading: str = "") -> Iterator[str]:
    options = [each for each in params if isinstance(each, click.Option) and not each.hidden]
    if options and heading:
        yield f".{heading}"
    for option in options:
        record = option.get_help_record(click.Context(root))
        if record is not None:
            yield from (".TP", f".B {_roff(record[0])}", _roff(record[1]))


def _examples(lines: list[str], heading: str) -> str:
    return "\n".join([f"{heading} EXAMPLES", *_lines(lines)]) + "\n" if lines else ""


def _lines(examples: list[str]) -> Iterator[str]:
    if examples:
        yield from (".RS 4", ".nf", *map(_roff, examples), ".fi", ".RE")


def _roff(text: str) -> str:
    """Text as roff takes it: nothing in it is a request, and what is a hyphen on the keyboard stays one."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace('"', "\\(dq").replace("^", "\\(ha").replace("~", "\\(ti")
    text = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)
    return f"\\&{text}" if text.startswith(".") else text
