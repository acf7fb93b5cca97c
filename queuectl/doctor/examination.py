"""All that is looked at, in the order in which one would ask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from queuectl.config import layers
from queuectl.config.installation import Installation, database_file
from queuectl.config.limits import check_total
from queuectl.doctor import backups, clock, filesystem, home, jobs, kernel, software, units, workers
from queuectl.domain.findings import Finding, error, ok
from queuectl.domain.settings import Settings
from queuectl.errors import ConfigError, DatabaseDamaged, DatabaseError, DatabaseForeign, Problem
from queuectl.queue.damage import restore_command
from queuectl.storage.database import Database
from queuectl.storage.running import first_start


def examine(place: Installation, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything. Whatever is wrong, the rest is looked at all the same."""
    config, findings = _config(place, environ)
    settings = config.settings if config is not None else Settings()
    path = database_file(place, settings)
    findings = [*software.examine(), *kernel.examine(settings), *findings, *home.examine(place, settings)]
    if not os.path.isdir(place.home) or not os.access(place.home, os.X_OK, effective_ids=True):
        return findings
    findings += filesystem.examine(os.path.dirname(path), settings.min_free_space)
    database, said = _opened(path, settings, place)
    findings += said
    try:
        findings += workers.examine(place, settings)
        if config is not None:
            findings += units.examine(place, config)
        if database is not None:
            findings += _of_the_database(database, place, settings)
    finally:
        if database is not None:
            database.close()
    return findings


def _config(place: Installation, environ: Mapping[str, str]) -> tuple[layers.Config | None, list[Finding]]:
    """The configuration; None where it is no good: then the rest is looked at by the built-in settings."""
    try:
        config = layers.load(place, environ)
    except ConfigError as refused:
        return None, [_problem(problem) for problem in refused.problems]
    problem = check_total(config.settings)
    if problem is not None:
        return config, [_problem(problem)]
    return config, [ok("config", place.config_file, "the configuration is sound")]


def _problem(problem: Problem) -> Finding:
    return error("config", problem.where, problem.message, "queuectl config check")


def _opened(path: str, settings: Settings, place: Installation) -> tuple[Database | None, list[Finding]]:
    if not any(os.path.lexists(path + end) for end in ("", "-wal")):
        return None, [ok("database", path, "there is none yet: the first enqueue makes it")]
    try:
        database = Database(path, create=False, synchronous=settings.synchronous)
    except (DatabaseDamaged, DatabaseForeign) as damage:
        return None, [error("database", path, str(damage).removeprefix(f"{path}: "), restore_command(place))]
    except DatabaseError as refused:
        return None, [error("database", path, str(refused).removeprefix(f"{path}: "), refused.hint)]
    return database, [ok("database", path, "it can be opened; `queuectl db check` reads all of it")]


def _of_the_database(database: Database, place: Installation, settings: Settings) -> Iterator[Finding]:
    try:
        yield from clock.examine(database)
        yield from jobs.examine(database, place, settings)
        yield from backups.examine(place, settings, database.path, first_start(database))
    except DatabaseError as damage:
        yield error("database", database.path, str(damage), "queuectl db check")
