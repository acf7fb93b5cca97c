"""`queuectl version`."""

from __future__ import annotations

import platform

import click

from queuectl import __version__
from queuectl.cli.command import command, json_option
from queuectl.cli.session import Session


@command("version")
@json_option
@click.pass_obj
def version(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl version
      queuectl version --verbose

    Print the version. With --verbose, or --json, what it runs on too: say that when you report a bug.
    """
    if not as_json and not session.verbose:
        print(f"queuectl {__version__}")
        return
    from queuectl.storage import library

    found = {
        "queuectl": __version__,
        "python": platform.python_version(),
        "sqlite": library.named(library.version()),
        "system": platform.platform(),
    }
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json(found)
    else:
        for name, what in found.items():
            print(name, what)
