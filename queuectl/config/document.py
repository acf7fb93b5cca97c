"""A YAML file as a tree whose every value knows its file and line.

Built from YAML's events, not by its constructor: that drops positions and duplicate keys, turns `12:30` into 750 and
`no` into False, and follows aliases as far as they lead.
Importing yaml takes 12 ms: only who has a file imports this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from queuectl.config.tree import MAX_BYTES, UNTEXT, Node, Trap
from queuectl.errors import ConfigError, Problem

MAX_DEPTH = 20
_TOO_DEEP = f"expected at most {MAX_DEPTH} levels of nesting, got more"
MAX_NODES = 20_000
"""Values in a file, counting what aliases stand for: a few lines of aliases can stand for billions."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+][0-9]{1,2})?")


def parse(data: bytes | str, source: str) -> tuple[Node, list[Problem]]:
    """The tree of a YAML text, and what is wrong with it; what can't be read at all is an empty node.

    `source` is the name of the file, for positions.
    """
    problems: list[Problem] = []
    try:
        return _Composer(_decode(data, source), source, problems).document(), problems
    except ConfigError as error:
        return Node(None, f"{source}:1"), [*problems, *error.problems]


def _decode(data: bytes | str, source: str) -> str:
    def refuse(line: int, message: str) -> ConfigError:
        return ConfigError([Problem(f"{source}:{line}", message)])

    if len(data) > MAX_BYTES:
        raise refuse(1, f"expected a file of at most {MAX_BYTES >> 20} MiB, got a longer one")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise refuse(line, f"expected UTF-8, got the byte 0x{error.object[error.start]:02x}") from None
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise refuse(line, f"expected text, got the control character U+{ord(found[0]):04X}")
    return text


class _Composer:
    def __init__(self, text: str, source: str, problems: list[Problem]) -> None:
        self.text = text
        self.source = source
        self.problems = problems
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.count = 0
        self.resolver: Any = yaml.resolver.Resolver()
        self.events = self._events()

    def document(self) -> Node:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Node(None, f"{self.source}:1")
        root = self._node(next(self.events), 0)
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.problems.append(
                Problem(self._where(after), "expected one YAML document, got a second one after `---`")
            )
        return root

    def _events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            line = mark.line + 1 if mark else 1
            raise self._refuse(f"{self.source}:{line}", self._reason(error, line)) from None
        except (ValueError, OverflowError):  # an escape such as "\UFFFFFFFF", in YAML's Python parser
            raise self._refuse(f"{self.source}:1", "not valid YAML: an escape names no character") from None

    def _reason(self, error: Exception, line: int) -> str:
        lines = self.text.splitlines()
        written = lines[line - 1] if line <= len(lines) else ""
        if "\t" in written[: len(written) - len(written.lstrip())]:
            return "not valid YAML: expected spaces before the key, got a tab"
        said = [getattr(error, name, None) for name in ("context", "problem")]
        if "nesting depth" in str(said[1]):  # later versions of libyaml have a limit of their own
            return _TOO_DEEP
        return "not valid YAML: " + (", ".join(part for part in said if part) or "it can't be read")

    def _node(self, event: Any, depth: int) -> Node:
        where = self._where(event)
        self.count += 1
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(str(event.anchor), where)
        if depth > MAX_DEPTH:
            raise self._refuse(where, _TOO_DEEP)
        self._bound(where)
        before = self.count
        if event.tag is not None:
            self.problems.append(Problem(where, f"expected a plain value, got one with the tag {event.tag}"))
        node = Node(self._value(event, depth), where)
        if event.anchor is not None:
            self.anchors[event.anchor] = node, self.count - before
        return node

    def _aliased(self, anchor: str, where: str) -> Node:
        if anchor not in self.anchors:
            raise self._refuse(where, f"expected an anchor &{anchor} that ended above, got *{anchor} without one")
        node, size = self.anchors[anchor]
        self.count += size
        self._bound(where)
        return Node(node.value, where)

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return items
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        return self._scalar(event)

    def _mapping(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            child = self._node(next(self.events), depth + 1)._replace(where=key.where)
            name = self._key(event, key)
            if name is None:
                continue
            if name in members:
                first = members[name].where.rpartition(":")[2]
                self.problems.append(Problem(key.where, f"key {name!r} is there twice, first on line {first}"))
                continue
            members[name] = child
        return members

    def _key(self, event: Any, node: Node) -> str | None:
        """The name that a key says; None, and a problem, if it says none."""
        value = node.value
        if isinstance(value, str) and not (value == "<<" and event.value == "<<" and not event.style):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str):
            got = "<<, which merges mappings in YAML: write the keys out"
        elif isinstance(event, yaml.ScalarEvent):
            got = str(value) if isinstance(value, Trap) else f"{event.value or 'nothing'}: put it in quotes"
        else:
            got = "a list, a mapping or an alias"
        self.problems.append(Problem(node.where, f"expected a name as the key, got {got}"))
        return None

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if found := UNTEXT.search(text):  # by an escape in quotes
            self.problems.append(Problem(self._where(event), f"expected text, got U+{ord(found[0]):04X} in it"))
            return ""
        if event.style:  # quoted, or a block
            return text
        tag = self.resolver.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
        if tag == "null":
            return None
        if tag == "bool":
            truth = text.lower() in ("true", "yes", "on")
            return truth if text.lower() in ("true", "false") else Trap(text, str(truth).lower())
        if tag == "int":
            return int(text) if _WHOLE.fullmatch(text) else Trap(_short(text), _notation(text))
        if tag == "float":
            return float(text) if _DECIMAL.fullmatch(text) else Trap(_short(text), _notation(text))
        return text

    def _bound(self, where: str) -> None:
        if self.count > MAX_NODES:
            raise self._refuse(where, f"expected at most {MAX_NODES} values, got more (what aliases stand for counts)")

    def _where(self, event: Any) -> str:
        return f"{self.source}:{event.start_mark.line + 1}"

    @staticmethod
    def _refuse(where: str, message: str) -> ConfigError:
        return ConfigError([Problem(where, message)])


def _notation(text: str) -> str:
    if ":" in text:
        return "a number to the base of 60"
    return "a huge number" if text.isdecimal() and not text.startswith("0") else "a number in another notation"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
