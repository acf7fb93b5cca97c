"""`queuectl wait`."""

from __future__ import annotations

import click

from queuectl.cli.command import command, ids_argument, json_option
from queuectl.cli.session import Session
from queuectl.cli.waiting import as_the_job, wait_for_all
from queuectl.domain.durations import parse_duration
from queuectl.errors import UsageError


def read_timeout(text: str | None) -> float | None:
    """Seconds of --timeout. Raises UsageError."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None


@command("wait")
@ids_argument(required=True)
@click.option("--timeout", metavar="DURATION", help="Give up after that: exit 124. The jobs go on.")
@json_option
@click.pass_obj
def wait(session: Session, ids: tuple[str, ...], timeout: str | None, as_json: bool) -> int:
    """\b
    Examples:
      queuectl wait nightly-backup && echo done
      queuectl wait b4k c7x --timeout 10m

    Wait until jobs have ended. It exits as the first of the jobs that did not end well, in the order given: with its
    exit code, 128 + its signal, or 1 where it has neither. 0 = all ended well, 124 = the time was over, 125 = queuectl
    itself failed.
    """
    with as_the_job():
        code = wait_for_all(session, ids, read_timeout(timeout))
        if as_json:
            from queuectl.cli.output.document import job_document, write_json_array

            write_json_array([job_document(session.queue.get(job_id)) for job_id in ids])
    return code
