"""Whether a database is sound: the file, the ways between its tables, and the counters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from queuectl.domain.findings import Finding, error, ok
from queuectl.domain.states import State
from queuectl.storage import library

if TYPE_CHECKING:
    from queuectl.storage.connection import Connection
    from queuectl.storage.database import Database

REPAIR = "queuectl db check --repair"
_NAMED = 5
"""How many of the offenders are named."""
_STATES = ", ".join(f"'{state.value}'" for state in State)


class _Rule(NamedTuple):
    """What must hold for every row."""

    check: str
    sound: str
    broken: str
    """`{n}` is how many rows break it."""
    offenders: str
    """SELECT of a name for each row that breaks it."""
    repair: str | None


_LOST = "state = 'processing' AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = jobs.worker_id)"
_UNOPENED = (
    "state = 'processing' AND NOT EXISTS "
    "(SELECT 1 FROM attempts a WHERE a.job_id = jobs.id AND a.number = jobs.claim_seq)"
)
_GIVE_BACK = f"""
UPDATE jobs SET state = 'pending', worker_id = NULL, attempts = max(0, attempts - 1),
    reason = 'given back: its worker is unknown'
WHERE ({_LOST}) OR ({_UNOPENED})
"""  # noqa: S608 - made of the constants above
_STATELESS = f"SELECT public_id FROM jobs WHERE state NOT IN ({_STATES}) ORDER BY id"  # noqa: S608
_RULES = (
    _Rule(
        "jobs.spec",
        "every job has what it is to run",
        "{n} jobs have nothing to run (--repair forgets them)",
        "SELECT public_id FROM jobs WHERE id NOT IN (SELECT job_id FROM job_specs) ORDER BY id",
        "DELETE FROM jobs WHERE id NOT IN (SELECT job_id FROM job_specs)",
    ),
    _Rule("jobs.state", "every state is one", "{n} jobs are in a state that is none", _STATELESS, None),
    _Rule(
        "specs.job",
        "every spec has its job",
        "{n} specs are of no job",
        "SELECT job_id FROM job_specs WHERE job_id NOT IN (SELECT id FROM jobs) ORDER BY job_id",
        "DELETE FROM job_specs WHERE job_id NOT IN (SELECT id FROM jobs)",
    ),
    _Rule(
        "attempts.job",
        "every attempt has its job",
        "{n} attempts are of no job",
        "SELECT job_id || '/' || number FROM attempts WHERE job_id NOT IN (SELECT id FROM jobs) ORDER BY id",
        "DELETE FROM attempts WHERE job_id NOT IN (SELECT id FROM jobs)",
    ),
    _Rule(
        "jobs.worker",
        "every running job has a worker",
        "{n} jobs are processing, and no worker has them (--repair gives them back, uncounted)",
        f"SELECT public_id FROM jobs WHERE ({_LOST}) OR ({_UNOPENED}) ORDER BY id",  # noqa: S608
        _GIVE_BACK,
    ),
    _Rule(
        "attempts.end",
        "every attempt that isn't the running one has ended",
        "{n} attempts have no end, and their jobs don't run them",
        "SELECT j.public_id || '/' || a.number FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.outcome IS NULL "
        "AND NOT (j.state = 'processing' AND j.claim_seq = a.number) ORDER BY a.id",
        "UPDATE attempts SET outcome = 'released', finished_at = started_at, error = 'its end was lost' "
        "WHERE outcome IS NULL AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = attempts.job_id "
        "AND j.state = 'processing' AND j.claim_seq = attempts.number)",
    ),
    _Rule(
        "counts",
        "the counters say what counting says",
        "{n} counters are wrong",
        "SELECT queue || '/' || state FROM (SELECT queue, state, n FROM job_counts WHERE n <> 0 "
        "EXCEPT SELECT queue, state, count(*) FROM jobs GROUP BY queue, state) "
        "UNION SELECT queue || '/' || state FROM (SELECT queue, state, count(*) FROM jobs GROUP BY queue, state "
        "EXCEPT SELECT queue, state, n FROM job_counts)",
        None,
    ),
)
_RECOUNT = (
    "DELETE FROM job_counts",
    "INSERT INTO job_counts (queue, state, n) SELECT queue, state, count(*) FROM jobs GROUP BY queue, state",
)


def examine(database: Database, restore: str) -> list[Finding]:
    """Look at everything, in one state of the database; workers go on meanwhile. `restore` is the command that puts
    a backup in its place. Raises DatabaseError."""
    found = [library_finding()]
    # One read transaction: a job that moves between two counts would be a fault that isn't there.
    database.rows("BEGIN")
    try:
        damage = [str(row[0]) for row in database.rows("PRAGMA integrity_check(20)") if row != ("ok",)]
        if damage:
            # What the tables say can't be relied on.
            return [*found, error("file", database.path, "; ".join(damage[:_NAMED]), restore)]
        found.append(ok("file", database.path, "SQLite finds nothing wrong"))
        found += [_judge(database, rule) for rule in _RULES]
        found += _foreign_keys(database, found)
    finally:
        if database.in_transaction():
            database.rows("ROLLBACK")
    return found


def repair(database: Database) -> None:
    """Mend what can be, and count anew, all in one transaction. Raises DatabaseError."""
    with database.write(wakes=True):
        for rule in _RULES:
            if rule.repair is not None:
                database.change(rule.repair)
        recount(database)


def recount(database: Connection) -> None:
    """Make the counters say what counting says; inside a write transaction."""
    for statement in _RECOUNT:
        database.change(statement)


def library_finding() -> Finding:
    """Whether this process's SQLite can be trusted."""
    number = library.version()
    text = f"SQLite {library.named(number)} ({library.source()})"
    if library.may_corrupt(number):
        bug = "can corrupt a database that several processes write (3.7.0 to 3.51.2)"
        return error("sqlite", text, bug, "pip install 'pysqlite3>=0.6'")
    return ok("sqlite", text, "isn't one of those that can corrupt a database")


def _judge(database: Connection, rule: _Rule) -> Finding:
    offenders = [str(row[0]) for row in database.rows(rule.offenders)]
    if not offenders:
        return ok(rule.check, database.path, rule.sound)
    names = ", ".join(offenders[:_NAMED]) + (", …" if len(offenders) > _NAMED else "")
    mendable = rule.repair is not None or rule.check == "counts"
    return error(
        rule.check, database.path, f"{rule.broken.format(n=len(offenders))}: {names}", REPAIR if mendable else None
    )


def _foreign_keys(database: Connection, before: list[Finding]) -> Iterator[Finding]:
    """What the rules haven't said already, in more words."""
    broken = {str(row[0]) for row in database.rows("PRAGMA foreign_key_check")}
    said = {finding.check for finding in before if finding.mend}
    explained = {"job_specs": "specs.job", "attempts": "attempts.job", "jobs": "jobs.worker"}
    left = sorted(table for table in broken if explained.get(table) not in said)
    if left:
        yield error("references", database.path, f"rows of {', '.join(left)} name rows that aren't there", REPAIR)
