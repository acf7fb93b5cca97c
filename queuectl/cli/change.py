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
from queuectl.queue import bulk
from queuectl.storage import queries

_AGAIN = "pending again"


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
    queue = session.queue
    allowed = sources("cancel") | {State.PROCESSING}
    if not which.by_filter:
        return _each(session, which, as_json, "cancelled", lambda job_id: queue.cancel(job_id, reason))
    found = Found(session, which, allowed)
    if which.dry_run:
        return found.say()
    if found.number and not confirmed(f"Cancel {found.number} jobs?", yes):
        return 1
    return _said(session, found.change(lambda jobs: bulk.cancel_all(queue, jobs, reason)), as_json, "cancelled")


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
    queue = session.queue
    if not which.by_filter:
        return _each(session, which, as_json, "held", lambda job_id: queue.hold(job_id, reason))
    found = Found(session, which, sources("hold"))
    if which.dry_run:
        return found.say()
    return _said(session, found.change(lambda jobs: bulk.hold_all(queue, jobs, reason)), as_json, "held")


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
    queue = session.queue
    if not which.by_filter:
        return _each(session, which, as_json, "released", queue.release)
    found = Found(session, which, {State.HELD})
    if which.dry_run:
        return found.say()
    return _said(session, found.change(lambda jobs: bulk.release_all(queue, jobs)), as_json, "released")


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
    queue = session.queue
    if not which.by_filter:
        return _each(session, which, as_json, _AGAIN, lambda job_id: queue.retry(job_id, keep_attempts=keep_attempts))
    found = Found(session, which, sources("retry"))
    if which.dry_run:
        return found.say()
    refused: list[str] = []

    def again(jobs: queries.Filter) -> list[str]:
        done, others = bulk.retry_all(queue, jobs, keep_attempts=keep_attempts)
        refused.extend(others)
        return done

    return _said(session, found.change(again), as_json, _AGAIN) or complain_of_keys(refused)


class Found:
    """What a filter finds, of the jobs in an `allowed` state; of those in others the command would only say that they
    can't be."""

    def __init__(self, session: Session, which: Selection, allowed: frozenset[State] | set[State]) -> None:
        """Raises UsageError: ids are there, too."""
        demand_one_kind(which)
        states = tuple(state for state in State if state in allowed and (not which.states or state in which.states))
        self._jobs = session.queue.changeable(queries.Filter(states, which.queue, which.tags))
        self.number = queries.count(session.queue.database, self._jobs) if states else 0

    def say(self) -> int:
        """The answer to --dry-run."""
        return count_only(self.number)

    def change(self, act: Callable[[queries.Filter], list[str]]) -> list[str]:
        """Do it to them; the ids of those to which it was done."""
        return act(self._jobs) if self.number else []


def demand_one_kind(which: Selection) -> None:
    """Raises UsageError: neither ids nor a filter, or both."""
    if which.by_filter == bool(which.ids):
        got = "both" if which.ids else "neither"
        raise UsageError(f"expected ids, or a filter (--state, --queue, --tag), got {got}")


def count_only(number: int) -> int:
    """The answer to --dry-run."""
    print(f"It would be {number} {'job' if number == 1 else 'jobs'}.")
    return 0


def complain_of_keys(refused: Sequence[str]) -> int:
    """Name the jobs that can't run again, since another unended job has their key; the exit code."""
    if refused:
        complain(f"another job has the key of {', '.join(refused[:10])}{', …' if len(refused) > 10 else ''}", None)
    return 1 if refused else 0


def _each(session: Session, which: Selection, as_json: bool, done: str, act: Callable[[str], Job]) -> int:
    """Do it to one after the other; one that can't be doesn't keep the others from it. The first one's exit code.

    Raises:
        UsageError: neither ids nor a filter.
    """
    demand_one_kind(which)
    ids = list(dict.fromkeys(which.ids))
    if which.dry_run:
        return count_only(len(ids))
    changed: list[Job] = []
    codes: list[int] = []
    for job_id in ids:
        try:
            job = act(job_id)
        except (NoSuchJob, AmbiguousId, NotPermitted, WrongState, DuplicateJob) as error:
            codes.append(error.exit_code)
            complain(str(error), error.hint)
        else:
            changed.append(job)
            if not as_json:
                session.note(f"{job.id}: {_what_was_done(job, done)}")
    if as_json:
        write_json_array(map(job_document, changed))
    return codes[0] if codes else 0


def _said(session: Session, ids: Sequence[str], as_json: bool, done: str) -> int:
    if as_json:
        write_json_array(job_document(session.queue.get(job_id)) for job_id in ids)
    else:
        session.note(f"{len(ids)} {'job' if len(ids) == 1 else 'jobs'} {done}")
    return 0


def _what_was_done(job: Job, done: str) -> str:
    return "its worker ends it" if job.state is State.PROCESSING and job.cancel_requested_at is not None else done
