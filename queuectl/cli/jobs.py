"""`queuectl list`."""

from __future__ import annotations

import click

from queuectl.cli.command import command, limit_option, list_options
from queuectl.cli.output.jobs import limited, print_jobs
from queuectl.cli.selection import filter_options, read_since, read_states
from queuectl.cli.session import Session


@command("list")
@filter_options
@click.option("--search", metavar="TEXT", help="With this in the id, the command or the description.")
@click.option("--since", metavar="TIME", help="Queued since then: 2h (ago), or a time.")
@click.option("--by", metavar="USER", help="Enqueued by that user.")
@limit_option
@list_options
@click.pass_obj
def list_jobs(
    session: Session,
    states: tuple[str, ...],
    queue: str | None,
    tags: tuple[str, ...],
    search: str | None,
    since: str | None,
    by: str | None,
    limit: int,
    form: str | None,
    as_json: bool,
) -> None:
    """\b
    Examples:
      queuectl list
      queuectl list --state failed,dead --since 2h
      queuectl list --queue backup --verbose
      queuectl list --by alice --state processing
      queuectl list --limit 0 -o id
      queuectl list --json | jq '.[] | select(.state == "completed")'

    List jobs, the newest first. With --verbose, or -o wide, there is more of each. An id may be shortened, in all
    commands, as long as no other begins so.
    """
    chosen = "json" if as_json else form or ("wide" if session.verbose else "table")
    jobs = session.queue.jobs(
        states=read_states(states),
        queue=queue,
        tags=tags,
        search=search,
        since=read_since(since),
        by=by,
        limit=limit + 1 if limit else None,
    )
    filtered = bool(states or queue or tags or search or since or by)
    empty = "no job is like that; `queuectl list` shows all" if filtered else "the queue is empty: queuectl enqueue"
    if not limit:
        print_jobs(session, jobs, chosen, empty)
        return
    found, more = limited(jobs, limit)
    print_jobs(session, found, chosen, empty)
    if more and chosen in ("table", "wide"):
        session.hint(f"these are the newest {limit}; --limit 0 shows all")
