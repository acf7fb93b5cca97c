"""`queuectl remove`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from queuectl.cli.change import Found, count_only, demand_one_kind
from queuectl.cli.command import command, json_option, yes_option
from queuectl.cli.output.complaint import complain
from queuectl.cli.output.document import write_json
from queuectl.cli.question import confirmed
from queuectl.cli.selection import Selection, selects
from queuectl.cli.session import Session
from queuectl.domain.states import State
from queuectl.errors import AmbiguousId, NoSuchJob, NotPermitted, WrongState
from queuectl.queue.bulk import remove_all

_REMOVABLE = frozenset(State) - {State.PROCESSING}


@command("remove")
@selects
@yes_option
@json_option
@click.pass_obj
def remove(session: Session, which: Selection, yes: bool, as_json: bool) -> int:
    """\b
    Examples:
      queuectl remove b4k
      queuectl remove --state completed --queue video --dry-run
      queuectl remove --state completed --queue video --yes

    Forget jobs, their executions and all that they wrote. They are gone for good. One that runs can't be removed:
    cancel it first. With a filter instead of ids it asks before.
    """
    code = 0
    removed: list[str] = []
    if which.by_filter:
        found = Found(session, which, _REMOVABLE)
        if which.dry_run:
            return found.say()
        if found.number and not confirmed(f"Remove {found.number} jobs and their output for good?", yes):
            return 1
        removed = found.change(lambda jobs: remove_all(session.queue, jobs))
    else:
        demand_one_kind(which)
        if which.dry_run:
            return count_only(len(set(which.ids)))
        code, removed = _each(session, list(dict.fromkeys(which.ids)))
    if as_json:
        write_json({"removed": len(removed), "ids": removed})
    else:
        session.note(f"{len(removed)} {'job' if len(removed) == 1 else 'jobs'} removed")
    return code


def _each(session: Session, ids: Sequence[str]) -> tuple[int, list[str]]:
    """Remove one after the other; one that can't be doesn't keep the others from it. The first one's exit code, and
    those that are gone."""
    codes: list[int] = []
    removed: list[str] = []
    for job_id in ids:
        try:
            full = session.queue.get(job_id).id
            session.queue.remove(full)
        except (NoSuchJob, AmbiguousId, NotPermitted, WrongState) as error:
            codes.append(error.exit_code)
            complain(str(error), error.hint)
        else:
            removed.append(full)
    return codes[0] if codes else 0, removed
