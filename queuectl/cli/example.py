"""The YAML that `init` writes, made of the table of keys: an installed package has it, and it is never out of date."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.config.keys import ROOT, Entry, Key, Named, Section

_HEAD = """\
# The configuration of queuectl: every key, what it means, and its default. docs/configuration.md says more.
#
# Take the # away from the beginning of a line to set it, and from the line of the section above it. Then check with
#   queuectl config check
#
# Durations: 90 or 90s, 5m, 1h30m, 30d. Sizes: 4096, 64KiB, 10MiB. Text such as no, on or 12:30 needs quotes in YAML.
"""


_EMPTY = '""'


def example() -> str:
    """The text of a queuectl.yaml in which all is commented out."""
    return _HEAD + "".join(_lines(ROOT, ""))


def _lines(entry: Entry, indent: str) -> Iterator[str]:
    if isinstance(entry, Section):
        for name, child in entry.keys.items():
            if not indent:
                yield "\n"
            yield from _named(name, child, indent)
    elif isinstance(entry, Named):
        yield from _named("default", entry.each, indent)


def _named(name: str, entry: Entry, indent: str) -> Iterator[str]:
    if isinstance(entry, Key):
        yield f"# {indent}{entry.doc}\n"
        shown = entry.kind.show(entry.default)
        yield f"#{indent}{name}: {_EMPTY if shown == '' else shown}\n"
    elif isinstance(entry, Named) and isinstance(entry.each, Key):
        yield f"# {indent}{entry.each.doc}\n"
        yield f"#{indent}{name}: {{}}\n"
    else:
        yield f"#{indent}{name}:\n"
        yield from _lines(entry, indent + "  ")
