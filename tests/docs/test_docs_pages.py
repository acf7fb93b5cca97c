"""What holds for all pages: links lead somewhere, commands are there, and words are plain."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from queuectl.cli.command import GLOBAL
from queuectl.cli.main import root

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]}

FORBIDDEN = re.compile(
    r"blazing|lightning|seamless|\brobust|powerful|enterprise|production-(ready|quality)|effortless|cutting.edge"
    r"|state.of.the.art|world.class|\bsimply\b|\beasily\b|shields\.io|\[!\["
    rf"|{re.escape(str(ROOT))}"
    r"|[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]",
    re.IGNORECASE,
)


def headings(text: str) -> set[str]:
    """The anchors that a page has on GitHub."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in headings(path.read_text()), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_words_are_plain_and_of_no_machine(page: str) -> None:
    assert [found.group() for found in FORBIDDEN.finditer(PAGES[page])] == []


def test_the_test_line_is_the_one_of_ci() -> None:
    said = README.partition("Run its tests:\n\n")[2].partition("\n\n")[0].strip()
    ran = [shlex.split(line) for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    for part in said.split(" && "):
        assert shlex.split(part) in [[word for word in line if word != "--quiet"] for line in ran], part


def code(text: str) -> str:
    """The parts of a page that are code."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (.+)$", text, re.MULTILINE)
    prose = re.sub(r"^(```.*?^```|    [^\n]+)$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*fenced, *indented, *re.findall(r"`([^`\n]+)`", prose)])


def resolved(words: list[str]) -> tuple[str, click.Command]:
    """The command that the words begin with, and its name."""
    command: click.Command = root
    name = "queuectl"
    for word in words:
        if not isinstance(command, click.Group) or not re.fullmatch("[a-z]+", word):
            break
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"{name} {word}"
        command, name = found, f"{name} {word}"
    return name, command


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in ("jobs", "workers", "guarantees"))])
def test_commands_and_their_options_are_there(page: str) -> None:
    for line in code(PAGES[page]).splitlines():
        for call in re.split(r"(?:^|[ `($/])queuectl(?= [a-z-])", line)[1:]:
            words = re.split(r"[ ,;`)]+", re.split(r" -- | && | \| |'[^']*'", call.strip())[0])
            name, command = resolved(words)
            known = {option for param in (*command.params, *root.params, *GLOBAL) for option in param.opts} | {"-vv"}
            for option in re.findall(r"(?:^|[ \[])(--?[a-z][a-z-]*)", " ".join(words[name.count(" ") :])):
                assert option in known, f"{name} {option}: {line}"


def test_the_readme_has_every_command() -> None:
    for name in root.list_commands(click.Context(root)):
        command = root.get_command(click.Context(root), name)
        assert command is not None
        if isinstance(command, click.Group):
            assert re.search(rf"`queuectl {name} |^    \$ queuectl {name} ", README, re.MULTILINE), name
        else:
            assert re.search(rf"queuectl {name}\b", README), name
