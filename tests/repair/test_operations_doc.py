"""The page for operators has every check, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from queuectl.config.keys import listed

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "operations.md").read_text()
NAMES = re.compile(r"""\b(?:ok|warning|error)\(\s*"([a-z.]+)",""")
RULES = re.compile(r"""_Rule\(\s*"([a-z.]+)",""")


def test_every_check_is_there_and_no_other() -> None:
    sources = [*(TOP / "queuectl" / "doctor").glob("*.py"), TOP / "queuectl" / "storage" / "integrity.py"]
    text = "".join(path.read_text() for path in sources)
    made = {*NAMES.findall(text), *RULES.findall(text), "supervisor", "peewee"}
    rows = re.findall(r"^\| ((?:`[a-z.]+` ?)+) \|", PAGE, re.MULTILINE)
    said = {name for row in rows for name in re.findall(r"`([a-z.]+)`", row)}
    assert said == made


def test_the_settings_are_those_that_there_are() -> None:
    keys = {name for name, _ in listed()}
    assert {"backup.every", "backup.keep", "min_free_space"} <= keys & set(re.findall(r"`([a-z_.]+)`", PAGE))
