"""`queuectl worker`: the processes that run jobs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from queuectl.cli.command import group, json_option
from queuectl.cli.recording import record
from queuectl.cli.session import Session
from queuectl.cli.wait import read_timeout
from queuectl.config import edit
from queuectl.config.layers import load
from queuectl.config.limits import check_total
from queuectl.config.sharing import find_problem
from queuectl.domain.settings import Settings
from queuectl.errors import QueuectlError, UsageError

if TYPE_CHECKING:
    from queuectl.pools.control import Workers

_POOL = click.option("--pool", metavar="POOL", help="Only that pool.")
_NAMES = click.argument("names", nargs=-1, metavar="[WORKER]...")
_COUNT = click.IntRange(0, 1000)


@group("worker")
def worker() -> None:
    """\b
    Examples:
      queuectl worker start --count 4
      queuectl worker status
      queuectl worker stop

    Look after workers, the processes that run jobs. A service manager keeps them alive. Workers belong to pools, which
    the configuration describes; without one there is the pool `default`, and it serves all queues.
    """


@worker.command("start")
@click.option("--count", type=_COUNT, metavar="N", help="Have N workers, until `worker stop`.")
@click.option("--pool", metavar="POOL", help="Only that pool; for --count, `default` unless given.")
@click.option("--no-detach", is_flag=True, help="Run one worker here, in the foreground.")
@json_option
@click.pass_obj
def start(session: Session, count: int | None, pool: str | None, no_detach: bool, as_json: bool) -> int:
    """\b
    Examples:
      queuectl worker start
      queuectl worker start --count 4
      queuectl worker start --pool video
      queuectl worker start --no-detach

    Bring each pool to its number of workers. It returns when they are ready; what runs already is left alone.
    """
    _refuse_guest(session)
    if no_detach:
        if count is not None:
            raise UsageError("expected --count or --no-detach, which runs one worker, got both")
        return _run(session, pool or "default", None, drain=False)
    settings = session.settings if count is None else _scaled(session, pool or "default", count)
    names = _control(session, settings).start(pool, count)
    _record(session, "start", names)
    return _said(session, names, as_json, "no pool has workers: `pools.NAME.workers` is 0", "ready")


@worker.command("scale")
@click.argument("pool")
@click.argument("count", type=_COUNT, metavar="N")
@json_option
@click.pass_obj
def scale(session: Session, pool: str, count: int, as_json: bool) -> int:
    """\b
    Examples:
      queuectl worker scale default 8
      queuectl worker scale video 0

    Start or stop the difference, so that the pool has N workers. Those that stop let their jobs end. It holds until
    `worker stop`.
    """
    _refuse_guest(session)
    names = _control(session, _scaled(session, pool, count)).scale(pool, count)
    record(session, "worker scale", f"{pool}={count}")
    return _said(session, names, as_json, f"pool {pool} has no workers any more", "ready")


@worker.command("stop")
@_NAMES
@click.option("--force", is_flag=True, help="Kill their jobs at once.")
@click.option("--timeout", metavar="DURATION", help="How long jobs may take to end, instead of shutdown_timeout.")
@_POOL
@json_option
@click.pass_obj
def stop(
    session: Session, names: tuple[str, ...], force: bool, timeout: str | None, pool: str | None, as_json: bool
) -> int:
    """\b
    Examples:
      queuectl worker stop
      queuectl worker stop --timeout 10m
      queuectl worker stop default-3
      queuectl worker stop --force

    Stop workers, once their jobs have ended. It returns when they are gone. Jobs that did not end in time are given
    back: they run again, and it counts as no attempt.
    """
    _refuse_guest(session)
    stopped = _control(session).stop(pool, names, force, read_timeout(timeout))
    _record(session, "stop", stopped)
    return _said(session, stopped, as_json, "no worker was running", "stopped")


@worker.command("restart")
@_NAMES
@click.option("--rolling", is_flag=True, help="One after the other, each once the one before is ready.")
@_POOL
@json_option
@click.pass_obj
def restart(session: Session, names: tuple[str, ...], rolling: bool, pool: str | None, as_json: bool) -> int:
    """\b
    Examples:
      queuectl worker restart
      queuectl worker restart default-0
      queuectl worker restart --rolling --pool video

    Stop and start the workers that run. It returns when they are ready. --rolling ends at the first that doesn't get
    ready, and leaves the rest as they are. `reload` does it without disturbing a job.
    """
    _refuse_guest(session)
    restarted = _control(session).restart(pool, names, rolling=rolling)
    _record(session, "restart", restarted)
    return _said(session, restarted, as_json, "no worker was running: queuectl worker start", "ready")


@worker.command("reload")
@_NAMES
@_POOL
@json_option
@click.pass_obj
def reload(session: Session, names: tuple[str, ...], pool: str | None, as_json: bool) -> int:
    """\b
    Examples:
      queuectl config set worker_timeout 10m && queuectl worker reload

    Take a new configuration, or a new version of queuectl, while jobs go on. Workers keep their PIDs. It returns when
    all have; where the new one is no good it says so, and the worker goes on as it was.
    """
    _refuse_guest(session)
    reloaded = _control(session).reload(pool, names)
    _record(session, "reload", reloaded)
    return _said(session, reloaded, as_json, "no worker was running", "reloaded")


@worker.command("status")
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      queuectl worker status
      queuectl worker status --json

    Show all workers that run, or should.
    """
    from queuectl.cli.output.document import write_json_array
    from queuectl.cli.output.workers import print_workers, worker_document

    found = _control(session).status()
    if as_json:
        write_json_array(map(worker_document, found))
        return
    if found:
        print_workers(session, found)
    if not any(each.pid for each in found):
        session.hint("no worker runs: queuectl worker start")


@worker.command("logs")
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what they say, until Ctrl-C.")
@click.option(
    "--tail", "lines", type=click.IntRange(min=0), default=50, show_default=True, metavar="N", help="The last N."
)
@click.pass_obj
def logs(session: Session, name: str | None, follow: bool, lines: int) -> None:
    """\b
    Examples:
      queuectl worker logs
      queuectl worker logs default-0 --follow

    Print what workers say of themselves. What jobs wrote: `queuectl logs ID`.
    """
    from queuectl.cli.worker_logs import print_logs

    print_logs(session, name, follow, lines)


@worker.command("run")
@click.option("--pool", default="default", show_default=True, metavar="POOL", help="The pool it belongs to.")
@click.option("--instance", type=click.IntRange(min=0), metavar="N", help="Its number; else the first free one.")
@click.option("--drain", is_flag=True, help="End when nothing is left to do in its queues.")
@click.pass_obj
def run(session: Session, pool: str, instance: int | None, drain: bool) -> int:
    """\b
    Examples:
      queuectl worker run
      queuectl worker run --drain

    Be a worker, in the foreground. Service managers call it; --drain is for scripts and for cron.
    """
    return _run(session, pool, instance, drain)


@worker.command("check")
@click.option("--pool", default="default", show_default=True, metavar="POOL", help="The pool it would belong to.")
@click.option("--handover", type=int, hidden=True)
@click.pass_obj
def check(session: Session, pool: str, handover: int | None) -> int:
    """\b
    Examples:
      queuectl worker check

    Say whether a worker could start. Its program loads, the configuration is sound, and the database that is there can
    be opened: a reload asks this before it changes anything.
    """
    from queuectl.config.installation import database_file
    from queuectl.worker.handover import FORMAT
    from queuectl.worker.service import pool_of

    problem = check_total(session.settings) or find_problem(session.place, session.settings)
    if problem:
        raise UsageError(str(problem))
    pool_of(session.settings, pool)
    if handover not in (None, FORMAT):
        raise QueuectlError(f"this version can't take over running jobs of a worker of format {handover}: restart it")
    if os.path.exists(database_file(session.place, session.settings)):
        # The check of a worker that was killed must not make the home anew that somebody removed.
        session.database.close()
    session.note(f"a worker of pool {pool} can start in {session.place.home}")
    return 0


def _run(session: Session, pool: str, instance: int | None, drain: bool) -> int:
    _refuse_guest(session)
    from queuectl.config.installation import create
    from queuectl.worker.service import run as serve

    if instance is None:
        # A service manager names the number. What it restarts must not make the home anew that somebody removed.
        create(session.place)
    return serve(session.place, session.settings, pool, instance, drain=drain)


def _refuse_guest(session: Session) -> None:
    session.refuse_guest("start and stop workers")


def _control(session: Session, settings: Settings | None = None) -> Workers:
    from queuectl.pools.control import Workers

    return Workers(settings or session.settings, session.place)


def _scaled(session: Session, pool: str, count: int) -> Settings:
    """Keep the number of the pool's workers, and give the settings with it.

    Raises:
        UsageError: no such pool, or more workers than `max_workers`; nothing is kept.
    """
    key = f"pools.{pool}.workers"
    if pool not in session.settings.pools:
        from queuectl.config.spelling import did_you_mean

        pools = session.settings.pools
        raise UsageError(f"no pool {pool!r}{did_you_mean(pool, pools)}", hint=f"there are: {', '.join(pools)}")
    settings = load(session.place, os.environ, {key: count}).settings
    problem = check_total(settings)
    if problem:
        raise UsageError(str(problem))
    edit.set_value(session.place, key, str(count), edit.SCALE_FILE)
    return settings


def _record(session: Session, action: str, names: list[str]) -> None:
    if names:
        record(session, f"worker {action}", ",".join(names))


def _said(session: Session, names: list[str], as_json: bool, none: str, done: str) -> int:
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json({"workers": names})
    else:
        session.note(f"{', '.join(names)}: {done}" if names else none)
    return 0
