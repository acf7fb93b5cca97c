"""Who acts on a queue, as a name: a login, or a login through sudo."""

from __future__ import annotations

_AS = " (as "


def through_sudo(person: str, account: str) -> str:
    """`person`, who used sudo to be `account`: `alice (as root)`."""
    return f"{person}{_AS}{account})"


def through_sudo_prefix(person: str) -> str:
    """How all that `through_sudo` says of the person begins."""
    return f"{person}{_AS}"


def is_by(actor: str | None, person: str) -> bool:
    """Whether the actor is that person, through sudo or not. None is nobody."""
    return actor is not None and (actor == person or actor.startswith(through_sudo_prefix(person)))
