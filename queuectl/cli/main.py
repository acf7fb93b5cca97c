"""The console script: run one command, and end well whatever happens."""

from __future__ import annotations

import os
import sys

import click

from queuectl.cli.catalogue import COMMANDS
from queuectl.cli.command import Group
from queuectl.cli.session import Session
from queuectl.errors import QueuectlError, UsageError

PROGRAM = "queuectl"
_INTERRUPTED, _BROKEN_PIPE = 130, 141
"""128 + the signal, as if it had ended us."""


class Root(Group):
    """`queuectl` itself: finds its commands in the catalogue, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module, _, attribute = COMMANDS[cmd_name].place.partition(":")
        command = getattr(import_module(f"queuectl.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].place} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.line) for name, entry in COMMANDS.items()])


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from queuectl import __version__

        click.echo(f"{PROGRAM} {__version__}")
        context.exit()


@click.group(
    cls=Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, name=PROGRAM
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@click.pass_context
def root(context: click.Context) -> int | None:
    """\b
    Examples:
      queuectl enqueue -- pg_dump mydb -f /backup/mydb.sql
      queuectl enqueue '{"command": "make test | tee log", "timeout": "10m"}'
      queuectl worker start --count 4
      queuectl status

    Durable background jobs for shell commands. Without a command: the status, where there is a queue.
    """
    if context.invoked_subcommand is not None:
        return None
    if not os.path.isdir(context.ensure_object(Session).place.home):
        click.echo(context.get_help())
        return None
    from queuectl.cli.status import status

    # A context of its own, so that its options have their defaults.
    with status.make_context("status", [], parent=context) as inner:
        return _code(status.invoke(inner))


def main() -> int:
    """Run the command that was typed; its exit code."""
    _have_standard_streams()
    if "_QUEUECTL_COMPLETE" in os.environ:
        root.main(prog_name=PROGRAM)  # answers the shell, and exits
    session = Session()
    try:
        with root.make_context(PROGRAM, sys.argv[1:], obj=session) as context:
            code = _code(root.invoke(context))
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as error:  # --help, --version
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except QueuectlError as error:
        return _failed(error)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Who read us has had enough. What is still in the buffer must not complain at exit.
        _drop_output()
        return _BROKEN_PIPE
    except UnicodeEncodeError as error:
        # An argument that isn't a file's name, and went on to where text is kept.
        _say(f"expected text in UTF-8, got {os.fsencode(error.object)!r}")
        return _traced(session, UsageError.exit_code)
    except OSError as error:
        _drop_output()
        _say(f"{f'{error.filename}: ' if error.filename else ''}{(error.strerror or str(error)).lower()}")
        return _traced(session, 1)
    except Exception as error:
        _say(f"internal error: {type(error).__name__}: {error}", "a bug of queuectl: report it, with what -v -v says")
        return _traced(session, 1)


def _code(result: object) -> int:
    return result if isinstance(result, int) else 0


def _misused(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"`{context.command_path} --help` says what it takes" if context else None
    message = error.format_message()
    _say(message[:1].lower() + message[1:].rstrip("."), hint)
    return error.exit_code


def _failed(error: QueuectlError) -> int:
    _say(str(error), error.hint)
    return error.exit_code


def _say(message: str, hint: str | None = None) -> None:
    # Only now: who makes no mistake doesn't pay for it.
    from queuectl.cli.output.complaint import complain

    complain(message, hint)


def _traced(session: Session, code: int) -> int:
    if session.verbosity > 1:
        import traceback

        traceback.print_exc()
    return code


def _drop_output() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _have_standard_streams() -> None:
    """Whoever closed a standard stream gets /dev/null there: else the next file to be opened, maybe the database,
    would get its number, and what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    # A locale that lacks a character must not end a list.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
