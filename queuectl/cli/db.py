"""`queuectl db`: the database, on good days and on bad ones."""

from __future__ import annotations

import os

import click

from queuectl.cli.command import group, json_option, yes_option
from queuectl.cli.output.document import time, write_json
from queuectl.cli.question import confirmed
from queuectl.cli.recording import record
from queuectl.cli.session import Session
from queuectl.config.installation import create, database_file
from queuectl.domain.clock import now_ms
from queuectl.domain.durations import format_size
from queuectl.errors import DatabaseDamaged, DatabaseForeign, QueuectlError, UsageError


@group("db")
def db() -> None:
    """\b
    Examples:
      queuectl db check
      queuectl db backup /srv/backup/queue.db
      queuectl db restore /srv/backup/queue.db

    Look after the database. Backups are made while workers run; the maintenance leader makes them by itself, see the
    setting `backup`.
    """


@db.command("check")
@click.option("--repair", "mend", is_flag=True, help="Mend what can be mended, and count anew, in one transaction.")
@json_option
@click.pass_obj
def check(session: Session, mend: bool, as_json: bool) -> int:
    """\b
    Examples:
      queuectl db check
      queuectl db check --repair
      queuectl db check --json

    Look whether the database is sound, and exit 1 if it isn't. It reads all of the file: its structure, jobs without
    what they are to run, attempts without their job, running jobs without a worker, the counters, and whether this
    SQLite can be trusted. Workers may run.
    """
    from queuectl.cli.output.findings import print_findings, write_findings
    from queuectl.domain.findings import Severity, error, worst
    from queuectl.queue.damage import restore_command
    from queuectl.storage import integrity

    if mend:
        session.refuse_guest("repair the database")
    restore = restore_command(session.place)
    try:
        _refuse_missing(session)
        found = integrity.examine(session.database, restore)
        if mend and worst(found) is Severity.ERROR:
            if any(finding.check == "file" and finding.severity is Severity.ERROR for finding in found):
                session.note("the file itself is damaged: nothing of that can be repaired, but a backup be restored")
            else:
                integrity.repair(session.database)
                record(session, "db repair")
                found = integrity.examine(session.database, restore)
    except (DatabaseDamaged, DatabaseForeign) as damage:
        path = database_file(session.place, session.config.settings)
        found = [integrity.library_finding(), error("file", path, str(damage).removeprefix(f"{path}: "), restore)]
    if as_json:
        write_findings(found)
    else:
        print_findings(session, found)
    return 1 if worst(found) is Severity.ERROR else 0


@db.command("backup")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace FILE, if it is there.")
@click.option("--keep", type=click.IntRange(1, 10_000), metavar="N", help="Keep but the newest N in the home.")
@json_option
@click.pass_obj
def backup(session: Session, file: str | None, force: bool, keep: int | None, as_json: bool) -> None:
    """\b
    Examples:
      queuectl db backup /srv/backup/queue.db --force
      queuectl db backup --keep 7

    Copy the database to FILE while workers run. Without FILE it goes to the home's `backups`, with its time in its
    name. The copy is whole, or not there; what jobs wrote is not in it, but for the last 4 KiB of each.
    """
    from queuectl.storage import backup as copies

    if keep is not None and file is not None:
        raise UsageError(
            "--keep is for the backups in the home, and FILE is none of them", hint="leave one of them out"
        )
    session.refuse_guest("copy the database")
    _refuse_missing(session)
    target = os.path.abspath(_path(file)) if file is not None else _free_dated(session)
    written = copies.write(session.database, target, overwrite=force)
    removed = copies.rotate(session.place.backups, keep) if keep is not None else []
    if as_json:
        write_json({"file": target, "size": written, "removed": removed})
        return
    session.note(f"{target}: {format_size(written)}" + (f"; {len(removed)} older removed" if removed else ""))


@db.command("restore")
@click.argument("file")
@yes_option
@json_option
@click.pass_obj
def restore(session: Session, file: str, yes: bool, as_json: bool) -> int:
    """\b
    Examples:
      queuectl worker stop && queuectl db restore ~/.queuectl/backups/queue-20261124T064520Z.db

    Put a backup in the place of the database, after a question. FILE is checked first, and stays as it is. The former
    database is kept beside the new one. Refused while workers run. Jobs that ran when the backup was made are pending
    again, and it counts as no attempt; jobs that ended since then run again.
    """
    from queuectl.pools.stillness import refuse_unless_still
    from queuectl.storage import restore as restoring
    from queuectl.worker.restoring import give_back_all

    session.refuse_guest("restore the database")
    place, file = session.place, os.path.abspath(_path(file))
    path = database_file(place, session.config.settings)
    create(place)
    refuse_unless_still(place)
    with restoring.staged(file, path) as copy:
        held = restoring.content(copy)
        of = f" as of {time(held.changed_at)}" if held.changed_at is not None else ""
        if not confirmed(f"Put {file} ({held.jobs} jobs{of}) in the place of {path}?", yes):
            return 1
        give_back_all(copy, place.locks, place.output)
        kept = restoring.put_in_place(copy, path, now_ms(), lambda: refuse_unless_still(place))
    record(session, "db restore", file)
    if as_json:
        write_json({"file": file, "jobs": held.jobs, "given_back": held.processing, "former": kept})
        return 0
    session.note(f"{held.jobs} jobs restored{of}" + (f", {held.processing} of them run again" * bool(held.processing)))
    if kept is not None:
        session.note(f"the former database is {kept}")
    return 0


@db.command("vacuum")
@json_option
@click.pass_obj
def vacuum(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl db vacuum

    Give back the space of jobs that are gone. The database is rewritten, for which the disk needs as much room again;
    workers may run, and wait meanwhile. Nothing needs it: free pages are given back a few at a time.
    """
    from queuectl.storage.vacuum import vacuum as rewrite

    session.refuse_guest("rewrite the database")
    _refuse_missing(session)
    before, after = rewrite(session.database)
    record(session, "db vacuum")
    if as_json:
        write_json({"before": before, "after": after})
    else:
        session.note(f"{format_size(before)} before, {format_size(after)} now")


@db.command("migrate")
@json_option
@click.pass_obj
def migrate(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl db migrate

    Bring the database to the form that this version knows, and say which that is. Whatever opens it does so, too.
    """
    from queuectl.storage.sqlite import schema_version

    session.refuse_guest("bring the database up to date")
    path = database_file(session.place, session.config.settings)
    before = schema_version(path)
    now = schema_version(session.database.path)
    if as_json:
        write_json({"before": before, "version": now})
    elif before == now:
        session.note(f"{path}: version {now}, nothing to do")
    else:
        session.note(f"{path}: " + (f"version {before} before, {now} now" if before else f"made, version {now}"))


def _refuse_missing(session: Session) -> None:
    """A typing error in --home must not make a queue, and back that up."""
    path = database_file(session.place, session.config.settings)
    if not any(os.path.lexists(path + end) for end in ("", "-wal", ".restored")):
        raise QueuectlError(f"{path}: there is no queue here", hint="--home names another home")


def _path(file: str) -> str:
    if not file or "\0" in file:
        raise UsageError(f"expected the path of a file, got {file!r}")
    return file


def _free_dated(session: Session) -> str:
    """A name in the home's backups; two in one second must not be one."""
    from queuectl.storage.backup import dated_path

    create(session.place)
    now = now_ms()
    while os.path.lexists(path := dated_path(session.place.backups, now)):
        now += 1000
    return path
