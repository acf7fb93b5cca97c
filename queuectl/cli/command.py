"""Click's classes, with what all our commands share: global options anywhere, groups that say what was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from queuectl.cli.session import Session


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> object:
    """Put a global option into the session. One that isn't given leaves what stood before the subcommand."""
    session = context.ensure_object(Session)
    if parameter.name == "verbosity":
        session.verbosity += value if isinstance(value, int) else 0
    elif value is not None and value is not False:
        setattr(session, str(parameter.name), value)
    return value


class GlobalOption(click.Option):
    """An option that every command has, before and after its name."""

    def __init__(self, *declarations: str, metavar: str | None = None, says: str, **kind: bool) -> None:
        super().__init__(declarations, metavar=metavar, help=says, expose_value=False, callback=_keep, **kind)


GLOBAL = (
    GlobalOption("--home", metavar="DIR", says="The directory of the queue, instead of $QUEUECTL_HOME or ~/.queuectl."),
    GlobalOption(
        "--config", "config_file", metavar="FILE", says="The YAML, instead of $QUEUECTL_CONFIG or the home's."
    ),
    GlobalOption("--user", is_flag=True, says="Your own home, also where the system has a queue."),
    click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        help="Colour; auto = on a terminal, unless NO_COLOR is set.",
        expose_value=False,
        callback=_keep,
    ),
    GlobalOption("-q", "--quiet", is_flag=True, says="Say nothing but data and errors."),
    GlobalOption("-v", "--verbose", "verbosity", count=True, says="Say more; twice: errors of queuectl in full."),
)
"""What every command takes, before and after its name."""


class Command(click.Command):
    """A command that has the global options too."""

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002
        """What it does, in a sentence: the first one behind the examples."""
        paragraphs = (self.help or "").split("\n\n")
        text = " ".join(paragraphs[min(1, len(paragraphs) - 1)].split())
        return text.split(". ")[0].split(": ")[0].rstrip(".") + "."

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_options(self, ctx, formatter)


class Group(click.Group):
    """A group of commands; it has the global options too."""

    command_class = Command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _format_options(self, ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            from queuectl.config.spelling import did_you_mean

            raise click.UsageError(f"no command {name!r}{did_you_mean(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def command(name: str | None = None) -> Callable[[Callable[..., object]], Command]:
    """`click.command` for a command of the catalogue."""
    return click.command(name, cls=Command)


def group(name: str) -> Callable[[Callable[..., object]], Group]:
    """`click.group` for a command of the catalogue. Called alone it is a slip: one line, and not a page of help."""
    return click.group(name, cls=Group, no_args_is_help=False)


def _format_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    everywhere = [record for option in GLOBAL if (record := option.get_help_record(ctx))]
    options = [param for param in command.get_params(ctx) if not isinstance(param, click.Argument)]
    own = [record for option in options if (record := option.get_help_record(ctx))]
    for title, records in (("Options", [each for each in own if each not in everywhere]), ("Everywhere", everywhere)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


Decorator = Callable[[Callable[..., object]], Callable[..., object]]


def options(*each: Decorator) -> Decorator:
    """Several options under one name, in the order of the help."""

    def decorate(function: Callable[..., object]) -> Callable[..., object]:
        for option in reversed(each):
            function = option(function)
        return function

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Answer the question with yes.")


def ids_argument(required: bool) -> Decorator:
    """`ID…`, each an id or the beginning of one."""
    return click.argument("ids", nargs=-1, required=required, metavar="ID..." if required else "[ID]...")


def split(values: Sequence[str]) -> list[str]:
    """The words of options that may be given several times, or once with commas."""
    return [word for value in values for word in value.split(",") if word]


FORMS = ("table", "wide", "json", "jsonl", "id")
"""How a list can be printed."""

limit_option = click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many; 0 = all."
)
list_options = options(
    click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(FORMS),
        help="How to print it; id = ids alone.",
    ),
    json_option,
)
