"""`queuectl doctor`."""

from __future__ import annotations

import os

import click

from queuectl.cli.command import command, json_option
from queuectl.cli.session import Session


@command("doctor")
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> int:
    """\b
    Examples:
      queuectl doctor
      queuectl doctor --json | jq '.[] | select(.severity != "ok")'

    Look whether all is well here, and say what to do where it isn't. It changes nothing. It exits 1 where it finds an
    error: jobs don't run, or may be lost; and 0 where all is well, or there are but warnings.
    """
    from queuectl.cli.output.findings import print_findings, write_findings
    from queuectl.doctor.examination import examine
    from queuectl.domain.findings import Severity, worst

    found = examine(session.place, os.environ)
    if as_json:
        write_findings(found)
    else:
        print_findings(session, found)
    return 1 if worst(found) is Severity.ERROR else 0
