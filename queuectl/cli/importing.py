"""`queuectl import`."""

from __future__ import annotations

import click

from queuectl.cli import reading
from queuectl.cli.command import command, json_option
from queuectl.cli.session import Session
from queuectl.errors import DuplicateJob, InvalidJob


@command("import")
@click.argument("file")
@json_option
@click.pass_obj
def import_jobs(session: Session, file: str, as_json: bool) -> None:
    """\b
    Examples:
      queuectl import ~/.queuectl/jobs.json

    Take over the jobs of the former queuectl. FILE is its jobs.json, which is only read. Jobs keep their states, what
    ran is pending again, and what each wrote, its error, its attempts and its times are kept as an execution. All are
    imported, or none; to do it twice does no harm.
    """
    from queuectl.queue import importing

    session.refuse_guest("import jobs with their past")
    document, name = reading.read_file(file)
    try:
        result = importing.import_jobs(session.queue, document)
    except InvalidJob as error:
        raise InvalidJob(f"{name}: {error}", key=error.key, hint=error.hint) from None
    except DuplicateJob as error:
        raise DuplicateJob(f"{name}: {error}", index=error.index, hint="give one of them another id") from None
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json(result._asdict())
        return
    again = f", {len(result.there)} were there already" if result.there else ""
    session.note(f"{len(result.imported)} jobs imported{again}")
    for old, new in result.renamed.items():
        session.note(f"job {old!r} is {new} here: only A-Z a-z 0-9 _ . - may be in an id")
    if result.ignored:
        session.note(f"left out: {', '.join(result.ignored)}")
