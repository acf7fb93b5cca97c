"""`queuectl config`: the settings."""

from __future__ import annotations

import os
import sys

import click

from queuectl.cli.command import group, json_option, yes_option
from queuectl.cli.output.document import write_json
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.question import confirmed
from queuectl.cli.recording import record
from queuectl.cli.session import Session
from queuectl.config import edit, keys
from queuectl.config.layers import load
from queuectl.config.limits import check_total
from queuectl.config.sharing import find_problem
from queuectl.errors import ConfigError


@group("config")
def config() -> None:
    """\b
    Examples:
      queuectl config show --origin
      queuectl config set max_retries 5
      queuectl config set pools.video.workers 2

    Show and change the settings. Later wins: built-in values, the YAML, what `config set` wrote beside it,
    QUEUECTL_<KEY> in the environment. A change is for new jobs, and for workers after `worker reload`.
    """


@config.command("show")
@click.option("--origin", is_flag=True, help="Show where each value comes from.")
@json_option
@click.pass_obj
def show(session: Session, origin: bool, as_json: bool) -> None:
    """\b
    Examples:
      queuectl config show
      queuectl config show --origin
      queuectl config show --json

    Show all settings. In JSON durations are seconds, and sizes bytes.
    """
    values, origins = session.config.values, session.config.origins
    if as_json:
        write_json({name: {"value": value, "origin": origins[name]} for name, value in values.items()})
        return
    rows = [
        [Cell(name, "bold"), Cell(keys.show(name, value)), Cell(origins[name], "dim")] for name, value in values.items()
    ]
    columns = [Column("KEY"), Column("VALUE", yields=True), Column("ORIGIN")]
    wide = 3 if origin or session.verbose else 2
    print_table(session, columns[:wide], [row[:wide] for row in rows])


@config.command("get")
@click.argument("key")
@json_option
@click.pass_obj
def get(session: Session, key: str, as_json: bool) -> None:
    """\b
    Examples:
      queuectl config get max_retries
      queuectl config get pools.default --json

    Print one setting, or a section.
    """
    value = edit.get_value(session.config, key)
    if as_json or isinstance(value, dict):
        write_json(value)
    else:
        print(keys.show(key, value))


@config.command("set")
@click.argument("key")
@click.argument("value")
@click.pass_obj
def set_value(session: Session, key: str, value: str) -> None:
    """\b
    Examples:
      queuectl config set max_retries 5
      queuectl config set worker_timeout 10m
      queuectl config set pools.video.queues "[video, audio]"

    Change a setting. It is written to a file of its own, so the YAML, with its comments, stays as it is. A value that
    begins with - stands behind --.
    """
    session.refuse_guest("change settings")
    edit.set_value(session.place, key, value)
    record(session, "config set", _target(key, value))
    _say_if_hidden(session, key)
    _say_who_takes_it(session)


@config.command("unset")
@click.argument("key")
@click.pass_obj
def unset(session: Session, key: str) -> None:
    """\b
    Examples:
      queuectl config unset max_retries

    Take back what `config set` said. What the YAML says counts again.
    """
    session.refuse_guest("change settings")
    if edit.unset_value(session.place, key):
        record(session, "config unset", key)
    else:
        session.note(f"{key} was not set by `config set`")


@config.command("reset")
@yes_option
@click.pass_obj
def reset(session: Session, yes: bool) -> int:
    """\b
    Examples:
      queuectl config reset --yes

    Take back all that was set. That is what `config set`, `worker scale` and `worker start --count` said; the YAML
    stays as it is.
    """
    session.refuse_guest("change settings")
    if not confirmed("Take back all that `config set` and `worker scale` said?", yes):
        return 1
    removed = edit.reset(session.place)
    if removed:
        record(session, "config reset")
    session.note(f"removed {', '.join(removed)}" if removed else "nothing was set")
    return 0


@config.command("check")
@click.pass_obj
def check(session: Session) -> None:
    """\b
    Examples:
      queuectl config check && queuectl worker reload

    Say all that is wrong, with file and line. Then it exits 78. It changes nothing.
    """
    problems = [check_total(session.settings), find_problem(session.place, session.settings)]
    if any(problems):
        raise ConfigError([problem for problem in problems if problem])
    session.note(f"{session.place.home}: the configuration is fine")


@config.command("path")
@json_option
@click.pass_obj
def path(session: Session, as_json: bool) -> None:
    """\b
    Examples:
      $EDITOR "$(queuectl config path)"

    Print the path of the YAML, whether it is there or not. With --json the home, and where `config set` writes, too.
    """
    place = session.place
    if as_json:
        exists = os.path.exists(place.config_file)
        write_json({"home": place.home, "config": place.config_file, "exists": exists, "config_d": place.config_dir})
    else:
        print(place.config_file)


def _target(key: str, value: str) -> str:
    """A variable of a pool may be a secret; so may a section, which can hold some."""
    name, entry = keys.find(key.strip())
    return f"{name}={value}" if isinstance(entry, keys.Key) and ".env." not in name else name


def _say_if_hidden(session: Session, key: str) -> None:
    """Say so where another layer wins over what was just set, and where the whole is no good."""
    name, entry = keys.find(key.strip())
    try:
        found = load(session.place, os.environ)
    except ConfigError as error:
        print(f"set; but the configuration is not sound:\n{error}", file=sys.stderr)
        return
    origin = found.origins.get(name, "")
    if isinstance(entry, keys.Key) and not origin.startswith("config.d/"):
        session.note(f"set; but {origin} wins over it")
    problem = check_total(found.settings)
    if problem:
        session.note(f"set; but {problem}")


def _say_who_takes_it(session: Session) -> None:
    """Workers that live go on with what they were started with."""
    from queuectl.pools.presence import sightings

    if sys.stderr.isatty() and any(seen.held for seen in sightings(session.place.locks)):
        session.hint("new jobs get it at once, workers that run by: queuectl worker reload")
