"""`queuectl remove`."""

from __future__ import annotations

import click

from queuectl.cli.change import choose, count_only
from queuectl.cli.command import command, ids_argument, json_option, yes_option
from queuectl.cli.output.complaint import complain
from queuectl.cli.output.document import write_json
from queuectl.cli.question import confirmed
from queuectl.cli.selection import filter_options, read_states
from queuectl.cli.session import Session
from queuectl.domain.states import State
from queuectl.errors import QueuectlError
from queuectl.queue.bulk import remove_all
from queuectl.storage.queries import Filter

_REMOVABLE = frozenset(State) - {State.PROCESSING}


@command("remove")
@ids_argument(required=False)
@filter_options
@click.option("--dry-run", is_flag=True, help="Say how many jobs it would be, and do nothing.")
@yes_option
@json_option
@click.pass_obj
def remove(
    session: Session,
    ids: tuple[str, ...],
    states: tuple[str, ...],
    queue: str | None,
    tags: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """\b
    Examples:
      queuectl remove b4k
      queuectl remove --state completed --queue video --dry-run
      queuectl remove --state completed --queue video --yes

    Forget jobs, their executions and all that they wrote. They are gone for good. One that runs can't be removed:
    cancel it first. With a filter instead of ids it asks before.
    """
    wanted = read_states(states)
    chosen, by_filter = choose(session, ids, wanted, queue, tags, _REMOVABLE)
    if dry_run:
        return count_only(chosen)
    codes: list[int] = []
    if by_filter:
        if chosen and not confirmed(f"Remove {len(chosen)} jobs and their output for good?", yes):
            return 1
        allowed = tuple(state for state in State if state in _REMOVABLE and (not wanted or state in wanted))
        removed = remove_all(session.queue, Filter(allowed, queue, tuple(tags))) if chosen else []
    else:
        removed = []
        for job_id in chosen:
            try:
                full = session.queue.get(job_id).id
                session.queue.remove(full)
            except QueuectlError as error:
                codes.append(error.exit_code)
                complain(str(error), error.hint)
            else:
                removed.append(full)
    if as_json:
        write_json({"removed": len(removed), "ids": removed})
    else:
        session.note(f"{len(removed)} {'job' if len(removed) == 1 else 'jobs'} removed")
    return codes[0] if codes else 0
