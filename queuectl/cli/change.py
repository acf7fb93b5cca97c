"""`queuectl cancel`, `hold`, `release` and `retry`: of jobs by id, or of all that a filter finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from queuectl.cli.command import command, json_option, yes_option
from queuectl.cli.output.complaint import complain
from queuectl.cli.output.document import job_document, write_json_array
from queuectl.cli.question import confirmed
from queuectl.cli.selection import Selection, selects
from queuectl.cli.session import Session
from queuectl.domain.job import Job
from queuectl.domain.states import State, sources
from queuectl.errors import AmbiguousId, DuplicateJob, NoSuchJob, NotPermitted, UsageError, WrongState
from queuectl.storage import queries


@command("cancel")
@selects
@json_option
@click.option("--reason", default="cancelled", metavar="TEXT", help="Why, for `show`.")
@yes_option
@click.pass_obj
def cancel(
    session: Session,
    which: Selection,
    as_json: bool,
    reason: str,
    yes: bool,
) -> int:
    """\b
    Examples:
      queuectl cancel b4k
      queuectl cancel --queue video --state pending --yes

    Cancel jobs. One that waits never runs; of one that runs, its worker ends all processes, soon after this returns.
    With a filter instead of ids it asks before.
    """
    allowed = sources("cancel") | {State.PROCESSING}
    chosen = choose(session, which, allowed)
    if which.dry_run:
        return count_only(chosen)
    if which.by_filter and chosen and not confirmed(f"Cancel {len(chosen)} jobs?", yes):
        return 1
    return _each(
        session, chosen, which.by_filter, as_json, "cancelled", lambda job_id: session.queue.cancel(job_id, reason)
    )


@command("hold")
@selects
@json_option
@click.option("--reason", default="held", metavar="TEXT", help="Why, for `show`.")
@click.pass_obj
def hold(
    session: Session,
    which: Selection,
    as_json: bool,
    reason: str,
) -> int:
    """\b
    Examples:
      queuectl hold b4k
      queuectl hold --tag expensive

    Keep jobs that wait from running, until `queuectl release` lets them go.
    """
    chosen = choose(session, which, sources("hold"))
    if which.dry_run:
        return count_only(chosen)
    return _each(session, chosen, which.by_filter, as_json, "held", lambda job_id: session.queue.hold(job_id, reason))


@command("release")
@selects
@json_option
@click.pass_obj
def release(
    session: Session,
    which: Selection,
    as_json: bool,
) -> int:
    """\b
    Examples:
      queuectl release b4k
      queuectl release --tag expensive

    Let held jobs go: they run when it is their turn, or when they are due.
    """
    chosen = choose(session, which, {State.HELD})
    if which.dry_run:
        return count_only(chosen)
    return _each(session, chosen, which.by_filter, as_json, "released", session.queue.release)


@command("retry")
@selects
@json_option
@click.option("--keep-attempts", is_flag=True, help="Run it exactly once more, instead of with all its retries.")
@click.pass_obj
def retry(
    session: Session,
    which: Selection,
    as_json: bool,
    keep_attempts: bool,
) -> int:
    """\b
    Examples:
      queuectl retry b4k
      queuectl retry --state dead,cancelled --queue video

    Run jobs again that have ended, however they ended. They become pending, with all their retries.
    """
    chosen = choose(session, which, sources("retry"))
    if which.dry_run:
        return count_only(chosen)
    return _each(
        session,
        chosen,
        which.by_filter,
        as_json,
        "pending again",
        lambda job_id: session.queue.retry(job_id, keep_attempts=keep_attempts),
    )


def choose(session: Session, which: Selection, allowed: frozenset[State] | set[State]) -> list[str]:
    """The ids of the jobs that are meant. A filter finds only jobs in an `allowed` state; of those in others the
    command would only say that they can't be; and a guest's only their own.

    Raises:
        UsageError: neither ids nor a filter, or both.
    """
    if which.by_filter == bool(which.ids):
        got = "both" if which.ids else "neither"
        raise UsageError(f"expected ids, or a filter (--state, --queue, --tag), got {got}")
    if which.ids:
        return list(dict.fromkeys(which.ids))
    jobs = session.queue.changeable(matching(which, allowed))
    return [job_id for _, job_id in queries.found(session.queue.database, jobs)] if jobs.states else []


def matching(which: Selection, allowed: frozenset[State] | set[State]) -> queries.Filter:
    """The filter, narrowed to the states that are allowed; maybe to none."""
    states = tuple(state for state in State if state in allowed and (not which.states or state in which.states))
    return queries.Filter(states, which.queue, which.tags)


def count_only(chosen: Sequence[str]) -> int:
    """The answer to --dry-run."""
    print(f"It would be {len(chosen)} {'job' if len(chosen) == 1 else 'jobs'}.")
    return 0


def _each(
    session: Session,
    ids: Sequence[str],
    by_filter: bool,
    as_json: bool,
    done: str,
    act: Callable[[str], Job],
) -> int:
    """Do it to one after the other; one that can't be doesn't keep the others from it. The first one's exit code."""
    changed: list[Job] = []
    codes: list[int] = []
    for job_id in ids:
        try:
            job = act(job_id)
        except WrongState as error:
            # It changed between the filter and now: then it isn't one of those that were meant.
            if not by_filter:
                codes.append(error.exit_code)
                complain(str(error), error.hint)
        except (NoSuchJob, AmbiguousId, NotPermitted, DuplicateJob) as error:
            codes.append(error.exit_code)
            complain(str(error), error.hint)
        else:
            changed.append(job)
            if not as_json and not by_filter:
                session.note(f"{job.id}: {_said(job, done)}")
    if as_json:
        write_json_array(map(job_document, changed))
    elif by_filter:
        session.note(f"{len(changed)} {'job' if len(changed) == 1 else 'jobs'} {done}")
    return codes[0] if codes else 0


def _said(job: Job, done: str) -> str:
    return "its worker ends it" if job.state is State.PROCESSING and job.cancel_requested_at is not None else done
