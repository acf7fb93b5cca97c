"""Reading what the audit has, and forgetting what it has had for long enough."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, NamedTuple

from queuectl.domain.actor import through_sudo_prefix
from queuectl.storage.models import AuditRow

if TYPE_CHECKING:
    from peewee import Expression, Field

    from queuectl.storage.database import Database

AT_ONCE = 500
"""Rows that are forgotten in a transaction."""


class Entry(NamedTuple):
    """One thing that somebody did."""

    at: int
    """Milliseconds since the epoch."""
    actor: str
    action: str
    target: str | None
    """A job's id, `first…last` of many, a worker, a key, a file."""
    number: int
    """How many jobs it was."""


def entries(
    database: Database, *, by: str | None = None, action: str | None = None, since: int | None = None, limit: int = 0
) -> list[Entry]:
    """What was done, the newest first, at most `limit`; 0 = all. `action` is also the first word of several: `worker`
    finds `worker start`; `since` is in milliseconds since the epoch. Raises DatabaseError."""
    found: list[Expression] = []
    if by is not None:
        found.append(done_by(AuditRow.actor, by))
    if action is not None:
        found.append((AuditRow.action == action) | begins(AuditRow.action, f"{action} "))
    if since is not None:
        found.append(AuditRow.at >= since)
    query = AuditRow.select(AuditRow.at, AuditRow.actor, AuditRow.action, AuditRow.target, AuditRow.count)
    if found:
        query = query.where(reduce(and_, found))
    query = query.order_by(AuditRow.id.desc())
    return [Entry._make(row) for row in database.select(query.limit(limit) if limit else query)]


def done_by(actor: Field, person: str) -> Expression:
    """`domain.actor.is_by` as a condition."""
    return (actor == person) | begins(actor, through_sudo_prefix(person))


def begins(column: Field, text: str) -> Expression:
    """Not LIKE: no letter in a name is a wildcard."""
    from peewee import fn

    return fn.SUBSTR(column, 1, len(text)) == text


def trim(database: Database, before: int) -> int:
    """Forget up to AT_ONCE entries that are older; how many those were. Entries are in the order of time, so that the
    first that isn't ends it. Raises DatabaseError."""
    oldest = AuditRow.select(AuditRow.id, AuditRow.at).order_by(AuditRow.id).limit(AT_ONCE)
    last, count = 0, 0
    for row, at in database.select(oldest):
        if at >= before:
            break
        last, count = row, count + 1
    if count:
        with database.write(synced=False):
            database.change("DELETE FROM audit WHERE id <= ?", (last,))
            database.rows("PRAGMA incremental_vacuum(1000)")
    return count
