"""The YAML that `init` writes, made of the table of keys: an installed package has it, and it is never out of date."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.config.keys import ROOT, Entry, Key, Named

_HEAD = """\
# The configuration of queuectl: every key, what it means, and its default. docs/configuration.md says more.
#
# Take the # away from the beginning of a line to set it, and from the line of the section above it. Then check with
#   queuectl config check
#
# Durations: 90 or 90s, 5m, 1h30m, 30d. Sizes: 4096, 64KiB, 10MiB. Text such as no, on or 12:30 needs quotes in YAML.
"""
_NAMES = {"NAME": "default", "VARIABLE": "TMPDIR"}
_VALUES = {"VARIABLE": "/var/tmp"}  # noqa: S108 - an example


def example() -> str:
    """The text of a queuectl.yaml in which all is commented out."""
    return _HEAD + "".join(_lines(ROOT, ""))


def _lines(entry: Entry, indent: str) -> Iterator[str]:
    if isinstance(entry, Named):
        name = _NAMES[entry.placeholder]
        yield from _entry(name, entry.each, indent, _VALUES.get(entry.placeholder))
    elif not isinstance(entry, Key):
        for name, child in entry.keys.items():
            if not indent:
                yield "\n"
            yield from _entry(name, child, indent, None)


def _entry(name: str, entry: Entry, indent: str, value: str | None) -> Iterator[str]:
    if isinstance(entry, Key):
        shown = entry.kind.show(entry.default) if value is None else value
        yield f"# {indent}{entry.doc}\n"
        yield f"#{indent}{name}: {shown if shown != '' else _EMPTY}\n"
    else:
        yield f"#{indent}{name}:\n"
        yield from _lines(entry, indent + "  ")


_EMPTY = '""'
