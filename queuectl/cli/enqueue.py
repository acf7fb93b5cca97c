"""`queuectl enqueue`."""

from __future__ import annotations

import sys

import click

from queuectl.cli import reading
from queuectl.cli.command import Command, json_option, options
from queuectl.cli.enqueueing import check_many, check_one, write_many, write_one
from queuectl.cli.session import Session
from queuectl.errors import UsageError

_ARGV = "queuectl.argv"


class EnqueueCommand(Command):
    """Takes what stands behind `--` away before Click does: to Click it would be arguments like all others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_ARGV] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return ["[OPTIONS]", "[JSON | FILE | - | -- COMMAND...]"]


_job_options = options(
    click.option("--id", "id", metavar="ID", help="The job's name; else one is made up."),
    click.option("--queue", metavar="QUEUE", help="The queue to put it in."),
    click.option("--priority", type=int, metavar="N", help="Higher runs first."),
    click.option("--max-retries", type=int, metavar="N", help="How often to try again; 0 = run once."),
    click.option("--timeout", metavar="DURATION", help="How long it may run: 90, 5m, 1h30m; 0 = no limit."),
    click.option("--delay", metavar="DURATION", help="Run it so much later."),
    click.option("--at", metavar="TIME", help="Run it then: 22:00, tomorrow 6:30, 2026-11-24 06:45."),
    click.option("--cwd", metavar="DIR", help="Where to run it, instead of here."),
    click.option("--env", multiple=True, metavar="K=V", help="Set a variable of its environment; repeatable."),
    click.option("--env-file", metavar="FILE", help="Read variables from it at each start: for secrets."),
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="Mark it, to find it again; repeatable."),
    click.option("--key", metavar="KEY", help="Refuse it while a job with this key has not ended."),
)


@click.command("enqueue", cls=EnqueueCommand)
@click.argument("words", nargs=-1)
@click.option("-f", "--file", "file", metavar="FILE", help="Read one job from a file; - = standard input.")
@click.option("--batch", metavar="FILE", help="Read many: a JSON array, or one object a line; - = standard input.")
@click.option("--lines", metavar="FILE", help="Read many: a shell command a line; - = standard input.")
@_job_options
@click.option("--hold", is_flag=True, help="Keep it from running until `release`.")
@click.option("--validate", is_flag=True, help="Check it, and queue nothing.")
@click.option("--wait", is_flag=True, help="Wait until it has ended, and exit as it did.")
@json_option
@click.pass_context
def enqueue(
    context: click.Context,
    /,
    words: tuple[str, ...],
    file: str | None,
    batch: str | None,
    lines: str | None,
    hold: bool,
    validate: bool,
    wait: bool,
    as_json: bool,
    **given: object,
) -> int | None:
    """\b
    Examples:
      queuectl enqueue -- pg_dump mydb -f /backup/mydb.sql
      queuectl enqueue '{"command": "make test | tee log", "timeout": "10m"}'
      queuectl enqueue job.json --priority 5
      queuectl enqueue --lines commands.txt --queue video
      generate-jobs | queuectl enqueue --batch -

    Queue a job. It is on disk when this returns. What stands behind -- is a program with its arguments, run without a
    shell; the "command" of a JSON job is the shell's. The keys of a job are in docs/jobs.md.

    Options win over a single JSON job; of many, what a job says itself wins over the options. Variables and tags of
    both are joined. Of many jobs all are queued, or none.
    """
    from queuectl.cli.waiting import as_the_job

    session = context.ensure_object(Session)
    argv: list[str] | None = context.meta.get(_ARGV)
    sources = [source for source in (words or None, argv, file, batch, lines) if source is not None]
    if len(sources) != 1 or len(words) > 1:
        raise _confused(words, len(sources))
    with as_the_job(wait):
        keys = _keys(given)
        many = lines if lines is not None else batch
        if many is not None:
            if "id" in keys or "unique_key" in keys:
                raise UsageError("expected one job with --id and --key, got many", hint="put them in the batch")
            jobs = check_many(session, many, keys, hold, shell=lines is not None)
            if validate:
                return _say_valid(len(jobs.jobs), as_json)
            return write_many(session, jobs, wait=wait, as_json=as_json)
        job = check_one(session, *_single(session, words, argv, file), keys, hold)
        if validate:
            return _say_valid(1, as_json)
        return write_one(session, job, wait=wait, as_json=as_json)


def _say_valid(jobs: int, as_json: bool) -> int:
    if as_json:
        from queuectl.cli.output.document import write_json

        write_json({"valid": True, "jobs": jobs})
    else:
        print(f"Valid: {jobs} {'job' if jobs == 1 else 'jobs'}, nothing queued")
    return 0


def _single(
    session: Session, words: tuple[str, ...], argv: list[str] | None, file: str | None
) -> tuple[object, str | None]:
    if argv is None:
        return reading.read_file(file) if file is not None else reading.read_positional(words[0])
    if not argv:
        raise UsageError("expected a command behind --, got nothing", hint="queuectl enqueue -- echo hello")
    if len(argv) == 1 and (" " in argv[0] or "|" in argv[0]):
        session.hint(
            f"what stands behind -- is one program's name, {argv[0]!r}, since no shell splits it; "
            "for a line of the shell: queuectl enqueue -- sh -c '…'"
        )
    return {"argv": argv}, None


def _keys(given: dict[str, object]) -> dict[str, object]:
    """The job's keys that the options say."""
    from queuectl.cli.when import read_at

    renamed = {"at": "run_at", "key": "unique_key"}
    keys = {renamed.get(name, name): value for name, value in given.items() if value is not None and value != ()}
    if "run_at" in keys:
        keys["run_at"] = read_at(str(keys["run_at"]))
    env = keys.get("env")
    if isinstance(env, tuple):
        keys["env"] = dict(_variable(text) for text in env)
    return keys


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--env: expected NAME=VALUE, got {text!r}")
    return name, value


def _confused(words: tuple[str, ...], sources: int) -> UsageError:
    if len(words) > 1 and words[0].lstrip().startswith("{"):
        return UsageError(f"expected one job, got {len(words)} words: the shell split it", hint=reading.QUOTING)
    if len(words) > 1:
        shown = " ".join(words)[:60]
        return UsageError(
            f"expected one job, got {len(words)} words",
            hint=f"a command stands behind --: queuectl enqueue -- {shown}",
        )
    if sources:
        return UsageError("expected one of JSON, FILE, --file, --batch, --lines and -- COMMAND, got several")
    hint = "queuectl enqueue -- echo hello" + ("" if sys.stdin.isatty() else "; - reads the standard input")
    return UsageError("expected a job, got nothing", hint=hint)
