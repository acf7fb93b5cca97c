"""A document against the table of keys."""

from __future__ import annotations

from typing import NamedTuple

from queuectl.config.keys import ROOT, Entry, Key
from queuectl.config.kinds import describe
from queuectl.config.tree import Node
from queuectl.errors import Problem


class Setting(NamedTuple):
    """A checked, typed value, and where it came from."""

    value: object
    origin: str


def check(node: Node, problems: list[Problem], entry: Entry = ROOT, path: str = "") -> dict[str, Setting]:
    """What `node` sets, by dotted name; what is wrong with it is added to `problems`.

    A pool that sets nothing is there under its own name, `pools.NAME`, since it makes a pool all the same.
    """
    if isinstance(entry, Key):
        try:
            return {path: Setting(entry.kind.parse(node.plain()), node.where)}
        except ValueError as error:
            problems.append(Problem(node.where, f"{path}: {error}"))
            return {}
    if node.value is None or node.value == {}:  # a section whose keys are all commented out
        return {path: Setting({}, node.where)} if path.startswith("pools.") and path.count(".") == 1 else {}
    if not isinstance(node.value, dict):
        expected = "expected keys with values, as in `max_retries: 3`"
        got = f"{expected}, got {describe(node.plain())}"
        problems.append(Problem(node.where, f"{path}: {got}" if path else got))
        return {}
    found: dict[str, Setting] = {}
    seen: set[str] = set()
    for name, child in node.value.items():
        try:
            full, below = entry.step(path, name)
        except ValueError as error:
            problems.append(Problem(child.where, str(error)))
            continue
        if full in seen:
            problems.append(Problem(child.where, f"key {full!r} is there twice, with a hyphen and with an underscore"))
            continue
        seen.add(full)
        found |= check(child, problems, below, full)
    return found
