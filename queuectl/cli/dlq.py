"""`queuectl dlq`: the dead letter queue."""

from __future__ import annotations

import sys

import click

from queuectl.cli.change import complain_of_keys
from queuectl.cli.command import group, json_option, limit_option, list_options, yes_option
from queuectl.cli.output.document import job_document, time, write_json
from queuectl.cli.output.facts import print_facts, print_title
from queuectl.cli.output.jobs import limited, print_jobs
from queuectl.cli.output.moments import Moments
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.question import confirmed
from queuectl.cli.session import Session
from queuectl.domain.clock import now_ms
from queuectl.domain.states import State
from queuectl.queue import dlq as dead_letters


@group("dlq")
def dlq() -> None:
    """\b
    Examples:
      queuectl dlq list
      queuectl dlq retry b4k
      queuectl dlq remove --yes

    Look after the dead letter queue. In it are the jobs that failed, and whose retries are used up.
    """


@dlq.command("list")
@limit_option
@list_options
@click.pass_obj
def list_dead(session: Session, limit: int, form: str | None, as_json: bool) -> None:
    """\b
    Examples:
      queuectl dlq list
      queuectl dlq list --verbose

    List dead jobs, the newest first. With --verbose, or -o wide, there is what went wrong with each.
    """
    chosen = "json" if as_json else form or ("wide" if session.verbose else "table")
    jobs = session.queue.jobs(states=[State.DEAD], limit=limit + 1 if limit else None)
    found, more = limited(jobs, limit) if limit else (list(jobs), False)
    print_jobs(session, found, chosen, "no job is dead")
    if more and chosen in ("table", "wide"):
        session.hint(f"these are the newest {limit}; --limit 0 shows all")


@dlq.command("stats")
@json_option
@click.pass_obj
def stats(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl dlq stats
      queuectl dlq stats --json

    Show how many jobs died, since when, and of which errors most.
    """
    found = dead_letters.summary(session.queue)
    if as_json:
        write_json(
            {
                "total": found.total,
                "mean_attempts": found.mean_attempts,
                "oldest": time(found.oldest),
                "newest": time(found.newest),
                "errors": [{"error": each.error, "count": each.times} for each in found.errors],
            }
        )
        return
    moments = Moments(now_ms(), relative=session.drawn(sys.stdout))
    mean = f"{found.mean_attempts:.1f}" if found.total else ""
    facts = [
        ("Dead jobs", Cell(f"{found.total:,}")),
        ("Executions each, on average", Cell(mean)),
        ("The oldest died", Cell(moments.show(found.oldest))),
        ("The newest died", Cell(moments.show(found.newest))),
    ]
    print_facts(session, facts)
    if found.errors:
        print_title(session, "Errors")
        columns = [Column("JOBS", right=True), Column("ERROR", yields=True)]
        print_table(session, columns, [[Cell(str(each.times)), Cell(each.error, "red")] for each in found.errors])


@dlq.command("show")
@click.argument("id")
@json_option
@click.pass_obj
def show(session: Session, id: str, as_json: bool) -> None:  # noqa: A002
    """\b
    Examples:
      queuectl dlq show b4k

    Show all that is known of a dead job. As `queuectl show` does.
    """
    from queuectl.cli.show import print_job

    print_job(session, dead_letters.get(session.queue, id).id, as_json)


@dlq.command("retry")
@click.argument("id", required=False)
@click.option("--keep-attempts", is_flag=True, help="Run it exactly once more, instead of with all its retries.")
@json_option
@click.pass_obj
def retry(session: Session, id: str | None, keep_attempts: bool, as_json: bool) -> int:  # noqa: A002
    """\b
    Examples:
      queuectl dlq retry b4k
      queuectl dlq retry

    Run a dead job again, or all of them. The one whose key another unended job has by now stays dead.
    """
    if id is not None:
        job = session.queue.retry(dead_letters.get(session.queue, id).id, keep_attempts=keep_attempts)
        if as_json:
            write_json(job_document(job))
        else:
            session.note(f"{job.id}: pending again")
        return 0
    done, refused = dead_letters.retry(session.queue, keep_attempts=keep_attempts)
    if as_json:
        write_json({"retried": len(done), "refused": refused})
    else:
        session.note(f"{len(done)} {'job' if len(done) == 1 else 'jobs'} pending again")
    return complain_of_keys(refused)


@dlq.command("remove")
@click.argument("id", required=False)
@yes_option
@json_option
@click.pass_obj
def remove(session: Session, id: str | None, yes: bool, as_json: bool) -> int:  # noqa: A002
    """\b
    Examples:
      queuectl dlq remove b4k
      queuectl dlq remove --yes

    Forget a dead job, or all of them, after a question. They are gone for good, with what they wrote.
    """
    if id is not None:
        found = [dead_letters.get(session.queue, id).id]
        session.queue.remove(found[0])
    else:
        there = dead_letters.count(session.queue)
        if there and not confirmed(f"Remove {there} dead jobs and their output for good?", yes):
            return 1
        found = dead_letters.remove(session.queue) if there else []
    if as_json:
        write_json({"removed": len(found), "ids": found})
    else:
        session.note(f"{len(found)} {'job' if len(found) == 1 else 'jobs'} removed")
    return 0
