"""`queuectl service`: the workers as services of systemd, or of the system's supervisord."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from queuectl.cli.command import group, json_option
from queuectl.cli.recording import record
from queuectl.cli.session import Session

if TYPE_CHECKING:
    from queuectl.pools.service import Service

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")


@group("service")
def service() -> None:
    """\b
    Examples:
      queuectl service diff
      sudo queuectl service install
      queuectl service status

    Have the system run the workers. What the YAML says of pools becomes units of systemd, or programs of the system's
    supervisord: they start at boot. Without this, workers run under a supervisord of your own.
    """


@service.command("render")
@json_option
@click.pass_obj
def render(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl service render
      queuectl service render --json

    Print the files that `install` would write.
    """
    files = _service(session).render()
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json(files)
        return
    for path, text in files.items():
        sys.stdout.write(f"==> {path} <==\n{text}\n")


@service.command("diff")
@json_option
@click.pass_obj
def diff(session: Session, as_json: bool) -> int:
    """\b
    Examples:
      queuectl service diff && echo nothing to do

    Show what is installed against what the YAML says now. It exits 1 when they differ.
    """
    from queuectl.services.changes import unified

    found = _service(session).diff()
    if as_json:
        from queuectl.cli.output.document import write_json_array

        write_json_array(change._asdict() for change in found)
    else:
        for change in found:
            sys.stdout.write(unified(change))
    return 1 if found else 0


@service.command("install")
@_DRY_RUN
@click.option("--no-start", is_flag=True, help="Write and enable, but start and restart nothing.")
@json_option
@click.pass_obj
def install(session: Session, dry_run: bool, no_start: bool, as_json: bool) -> int:
    """\b
    Examples:
      sudo queuectl service install
      queuectl service install --dry-run

    Make the service manager run the workers as the YAML says. It changes only what differs, restarts only the pools
    whose files changed, starts what does not run, and overwrites no file that it did not write. It returns when the
    workers are ready.
    """
    session.refuse_guest("install services")
    here = _service(session)
    done = here.install(start=not no_start, dry_run=dry_run)
    if not dry_run and (done.changes or done.started):
        record(session, "service install", here.kind)
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json({"manager": here.kind, "written": [change.path for change in done.changes], "started": done.started})
        return 0
    for change in done.changes:
        verb = "remove" if change.after is None else "write" if change.before is None else "change"
        session.note(f"would {verb} {change.path}" if dry_run else f"{verb}: {change.path}")
    if not done.changes and not done.started:
        session.note(f"{here.kind} has it as the configuration says: nothing to do")
    if done.started:
        session.note(f"{', '.join(done.started)}: ready")
    if here.account == "root":
        session.hint("the workers, and so all jobs, run as root; service.user names somebody else")
    if done.changes and not dry_run and here.kind == "systemd --user":
        session.hint("loginctl enable-linger has your workers run from boot on, not only while you are logged in")
    return 0


@service.command("uninstall")
@_DRY_RUN
@json_option
@click.pass_obj
def uninstall(session: Session, dry_run: bool, as_json: bool) -> int:
    """\b
    Examples:
      sudo queuectl service uninstall
      queuectl service uninstall --dry-run

    Stop the workers and remove what `install` wrote. Nothing else is removed: jobs and configuration stay, and so do
    your drop-ins.
    """
    session.refuse_guest("remove services")
    here = _service(session)
    removed = here.uninstall(dry_run)
    if removed and not dry_run:
        record(session, "service uninstall", here.kind)
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json({"removed": removed})
        return 0
    for path in removed:
        session.note(f"would remove {path}" if dry_run else f"removed: {path}")
    if not removed:
        session.note("nothing is installed")
    return 0


@service.command("status")
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl service status
      queuectl service status --json

    Show who runs the workers, what is installed for it, and whether that is what the YAML says.
    """
    from queuectl.cli.output.document import write_json
    from queuectl.cli.output.facts import print_facts
    from queuectl.cli.output.table import Cell
    from queuectl.pools.choice import choose_manager
    from queuectl.services.manager import SystemManager

    if not isinstance(choose_manager(session.config.settings, session.place), SystemManager):
        private = "a supervisord of your own"
        if as_json:
            write_json({"manager": None, "home": session.place.home, "files": [], "differs": []})
            return
        print_facts(session, [("manager", Cell(private, "bold")), ("home", Cell(session.place.home))])
        session.hint("queuectl service install has the system run the workers")
        return
    here = _service(session)
    written = here.written()
    differs = [change.path for change in here.diff()] if written else []
    if as_json:
        write_json({"manager": here.kind, "home": session.place.home, "files": written, "differs": differs})
        return
    facts = [
        ("manager", Cell(here.kind, "bold")),
        ("home", Cell(session.place.home)),
        ("installed", Cell(f"{len(written)} files" if written else "no", "" if written else "yellow")),
        ("as configured", Cell("no" if differs else "yes" if written else "", "yellow" if differs else "green")),
    ]
    print_facts(session, facts + [("", Cell(path, "yellow" if path in differs else "dim")) for path in written])
    if differs:
        session.hint("queuectl service diff shows what differs, queuectl service install makes it so")
    if not written:
        session.hint("queuectl service install")


def _service(session: Session) -> Service:
    from queuectl.pools.service import Service

    return Service(session.config, session.place)
