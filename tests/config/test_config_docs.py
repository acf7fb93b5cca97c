"""The example and the manual say what the table of keys says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from queuectl.config.installation import Installation
from queuectl.config.keys import Key, listed, show
from queuectl.config.layers import load
from queuectl.domain.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "queuectl.yaml.example"
MANUAL = (ROOT / "docs" / "configuration.md").read_text()


def test_the_example_is_valid_and_says_the_defaults(tmp_path):
    assert load(Installation(str(tmp_path), str(EXAMPLE), True), {}).settings == Settings()


def test_the_commented_parts_of_the_example_are_valid_too(tmp_path):
    text = re.sub(r"^  # ((?:  )*[a-zA-Z_]+:( .*)?)$", r"  \1", EXAMPLE.read_text(), flags=re.MULTILINE)
    (tmp_path / "c.yaml").write_text(text)
    assert "video" in load(Installation(str(tmp_path), str(tmp_path / "c.yaml"), True), {}).settings.pools


@pytest.mark.parametrize("name", [name for name, _ in listed()])
def test_the_example_sets_every_key(tmp_path, name):
    config = load(Installation(str(tmp_path), str(EXAMPLE), True), {})
    if name.endswith(("VARIABLE", "DIRECTIVE")):
        assert f"{'TMPDIR' if name.endswith('VARIABLE') else 'LimitNOFILE'}:" in EXAMPLE.read_text()
    else:
        assert config.origins[name.replace("NAME", "default")].startswith(str(EXAMPLE))


def row(name: str, key: Key) -> str:
    default = "none" if name.endswith(("VARIABLE", "DIRECTIVE")) else show(name, key.default)
    default = default if default == "none" else f"`{default}`" if default else "empty"
    return f"| `{name}` | {default} | {key.kind.expects} | {key.doc} |"


def test_the_table_of_the_manual_is_the_table_of_keys():
    table = MANUAL.split("## Keys")[1].split("| --- | --- | --- | --- |\n")[1].split("\n\n")[0]
    assert table.splitlines() == [row(name, key) for name, key in listed()]
