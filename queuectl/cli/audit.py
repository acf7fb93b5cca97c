"""`queuectl audit`."""

from __future__ import annotations

import sys

import click

from queuectl.cli.command import command, json_option, limit_option
from queuectl.cli.output.document import Document, time, write_json_array, write_json_lines
from queuectl.cli.output.moments import Moments
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.selection import read_since
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.storage.trail import Entry, entries


@command("audit")
@click.option("--by", metavar="USER", help="Done by that user.")
@click.option("--action", metavar="ACTION", help="Only that: enqueue, cancel, worker, worker stop, config set, ...")
@click.option("--since", metavar="TIME", help="Done since then: 2h (ago), or a time.")
@limit_option
@click.option("-o", "--output", "form", type=click.Choice(["table", "json", "jsonl"]), help="How to print it.")
@json_option
@click.pass_obj
def audit(
    session: Session,
    by: str | None,
    action: str | None,
    since: str | None,
    limit: int,
    form: str | None,
    as_json: bool,
) -> None:
    """\b
    Examples:
      queuectl audit
      queuectl audit --by alice --since 1d
      queuectl audit --action config --limit 0 --json

    Show who did what, the newest first. It is kept for `retention.audit`, and for colleagues: whoever may enqueue may
    run anything as the user of the workers, and so write to the database itself.
    """
    found = entries(session.database, by=by, action=action, since=read_since(since), limit=limit + 1 if limit else 0)
    shown = found[:limit] if limit else found
    if as_json or form == "json":
        write_json_array(map(_document, shown))
    elif form == "jsonl":
        write_json_lines(map(_document, shown))
    else:
        _print_table(session, shown)
        if len(found) > len(shown):
            session.hint(f"these are the newest {limit}; --limit 0 shows all")


def _document(entry: Entry) -> Document:
    return {
        "at": time(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "count": entry.number,
    }


def _print_table(session: Session, shown: list[Entry]) -> None:
    if not shown:
        session.hint("nothing is on record like that")
        return
    moments = Moments(now_ms(), relative=session.drawn(sys.stdout))
    columns = [
        Column("WHEN"),
        Column("WHO"),
        Column("ACTION"),
        Column("COUNT", right=True),
        Column("TARGET", yields=True),
    ]
    rows = [
        [
            Cell(moments.show(entry.at)),
            Cell(entry.actor, "bold"),
            Cell(entry.action),
            Cell(str(entry.number)),
            Cell(entry.target or ""),
        ]
        for entry in shown
    ]
    print_table(session, columns, rows)
