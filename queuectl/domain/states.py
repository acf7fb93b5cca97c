"""The states of a job, and the ways between them, as data. This module imports nothing of queuectl."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """Where a job stands. The values are what the database, the JSON and the command line say."""

    PENDING = "pending"  # ready to run
    SCHEDULED = "scheduled"  # waits for its run_at
    BLOCKED = "blocked"  # waits for other jobs
    HELD = "held"  # waits for a person
    PROCESSING = "processing"  # runs
    FAILED = "failed"  # failed, waits for its retry
    COMPLETED = "completed"
    DEAD = "dead"  # retries used up: the DLQ
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


class Outcome(str, Enum):
    """How an attempt ended."""

    COMPLETED = "completed"  # exit 0
    FAILED = "failed"  # any other exit, or a signal
    TIMEOUT = "timeout"
    CRASHED = "crashed"  # its worker died under it
    RELEASED = "released"  # given back, not counted: a graceful stop, a reboot
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


ENDED = frozenset({State.COMPLETED, State.DEAD, State.CANCELLED})
"""A job in one of these runs no more, unless a person retries it."""

INITIAL = frozenset({State.PENDING, State.SCHEDULED, State.BLOCKED, State.HELD})
"""What `enqueue` may write."""

TRANSITIONS: dict[str, frozenset[tuple[State, State]]] = {
    "promote": frozenset(
        {
            (State.SCHEDULED, State.PENDING),
            (State.FAILED, State.PENDING),
        }
    ),
    "claim": frozenset({(State.PENDING, State.PROCESSING)}),
    "finish": frozenset(
        {
            (State.PROCESSING, State.COMPLETED),
            (State.PROCESSING, State.FAILED),
            (State.PROCESSING, State.DEAD),
            (State.PROCESSING, State.CANCELLED),
        }
    ),
    "release": frozenset(
        {
            (State.PROCESSING, State.PENDING),
            (State.PROCESSING, State.CANCELLED),
        }
    ),
    "cancel": frozenset(
        {
            (State.PENDING, State.CANCELLED),
            (State.SCHEDULED, State.CANCELLED),
            (State.BLOCKED, State.CANCELLED),
            (State.HELD, State.CANCELLED),
            (State.FAILED, State.CANCELLED),
        }
    ),
    "hold": frozenset(
        {
            (State.PENDING, State.HELD),
            (State.SCHEDULED, State.HELD),
            (State.BLOCKED, State.HELD),
            (State.FAILED, State.HELD),
        }
    ),
    "unhold": frozenset(
        {
            (State.HELD, State.PENDING),
            (State.HELD, State.SCHEDULED),
            (State.HELD, State.BLOCKED),
        }
    ),
    "retry": frozenset(
        {
            (State.DEAD, State.PENDING),
            (State.COMPLETED, State.PENDING),
            (State.CANCELLED, State.PENDING),
        }
    ),
    "unblock": frozenset(
        {
            (State.BLOCKED, State.PENDING),
            (State.BLOCKED, State.SCHEDULED),
            (State.BLOCKED, State.CANCELLED),
        }
    ),
}
"""What each verb may do. `cancel` of a running job only asks: the worker's `finish` writes the end."""


def sources(verb: str) -> frozenset[State]:
    """The states that `verb` may start from."""
    return frozenset(before for before, _ in TRANSITIONS[verb])
