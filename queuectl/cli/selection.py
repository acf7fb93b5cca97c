"""Which jobs a command means: the options that filter, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple

import click

from queuectl.cli.command import Decorator, ids_argument, options, split
from queuectl.domain.clock import now_ms, parse_time
from queuectl.domain.durations import parse_duration
from queuectl.domain.states import State
from queuectl.errors import UsageError

_STATE = click.option("--state", "states", multiple=True, metavar="STATE", help="In this state; repeatable.")
_QUEUE = click.option("--queue", metavar="QUEUE", help="Of this queue.")
_TAG = click.option("--tag", "tags", multiple=True, metavar="TAG", help="With this tag; repeatable: with all of them.")

filter_options: Decorator = options(_STATE, _QUEUE, _TAG)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say how many jobs it would be, and do nothing.")


class Selection(NamedTuple):
    """The jobs that a command is to change: by id, or all that a filter finds."""

    ids: tuple[str, ...]
    states: tuple[State, ...]
    queue: str | None
    tags: tuple[str, ...]
    dry_run: bool

    @property
    def by_filter(self) -> bool:
        return bool(self.states or self.queue or self.tags)


def selects(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command ids and a filter to choose by; it gets what was chosen as `which`."""

    @options(ids_argument(required=False), filter_options, _DRY_RUN)
    @wraps(function)
    def with_selection(
        *arguments: object,
        ids: tuple[str, ...],
        states: tuple[str, ...],
        queue: str | None,
        tags: tuple[str, ...],
        dry_run: bool,
        **others: object,
    ) -> object:
        return function(*arguments, which=Selection(ids, read_states(states), queue, tags, dry_run), **others)

    return with_selection


def read_states(words: Sequence[str]) -> tuple[State, ...]:
    """The states named by `--state a --state b,c`.

    Raises:
        UsageError: there is no such state.
    """
    return tuple(_state(word.strip()) for word in split(words))


def read_since(text: str | None) -> int | None:
    """Milliseconds since the epoch of a time, or of a duration before now.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    try:
        return now_ms() - round(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        return parse_time(text)
    except ValueError:
        raise UsageError(
            f"--since: expected a duration like 90s, 5m or 1h30m, or a time like 2026-11-24 06:45, got {text!r}"
        ) from None


def _state(word: str) -> State:
    try:
        return State(word.lower())
    except ValueError:
        from queuectl.config.spelling import did_you_mean

        names = [state.value for state in State]
        raise UsageError(
            f"no state {word!r}{did_you_mean(word, names)}", hint=f"there are {', '.join(names)}"
        ) from None
