"""Values that know where they stand."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MAX_BYTES = 2**20
"""A longer file is no configuration."""
UNTEXT = re.compile("[\0\ud800-\udfff]")
"""What neither a file of text nor an environment variable can hold."""


class Trap:
    """A plain scalar that YAML reads as something else than it says; every kind of value refuses it."""

    __slots__ = ("meaning", "text")

    def __init__(self, text: str, meaning: str) -> None:
        self.text = text
        self.meaning = meaning

    def __str__(self) -> str:
        return f"{self.text}, which YAML reads as {self.meaning}: put it in quotes if it is text"


class Node(NamedTuple):
    """A value, and where it stands: of a mapping's values, the line of the key."""

    value: Any
    """None, bool, int, float, str, Trap, list[Node] or dict[str, Node]."""
    where: str
    """`FILE:LINE`."""

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value
