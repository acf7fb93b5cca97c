"""The house rules, as far as a machine can tell."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "queuectl"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 320

TOP_LEVEL = {
    "queuectl",
    "deploy",
    "tests",
    "docs",
    "pyproject.toml",
    "README.md",
    "queuectl.yaml.example",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
}

UNTYPED = {
    # What YAML says may be anything, until the keys' readers have looked at it.
    "config/document.py": 10,
    "config/edit.py": 4,
    "config/keys.py": 2,
    "config/kinds.py": 3,
    "config/layers.py": 4,
    "config/tree.py": 3,
    # XML-RPC.
    "services/supervisord/rpc.py": 3,
    # What the database says.
    "storage/connection.py": 3,
    "storage/claims.py": 1,
    "storage/library.py": 2,
    # What a worker hands to itself over an exec, as JSON.
    "worker/handover.py": 4,
}
"""The gateways to what has no types: how often `Any` or `type: ignore` is in each. Fewer is fine: lower the number."""


def tool(name: str, *arguments: str) -> None:
    """Run a tool of this environment in the repository; it must be content."""
    path = os.path.join(os.path.dirname(sys.executable), name)
    ran = subprocess.run([path, *arguments], cwd=TOP, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_modules_import_from_floors_below_their_own_only() -> None:
    tool("lint-imports", "--no-cache")


def test_the_types_are_right() -> None:
    tool("mypy", "--strict")


def test_the_style_is_right() -> None:
    tool("ruff", "check", "queuectl", "tests")
    tool("ruff", "format", "--check", "queuectl", "tests")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_and_is_short(module: Path) -> None:
    text = module.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= LONGEST


def _untyped(text: str) -> int:
    names = sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(ast.parse(text)))
    imported = any(
        isinstance(node, ast.ImportFrom) and any(alias.name == "Any" for alias in node.names)
        for node in ast.walk(ast.parse(text))
    )
    return names + imported + text.count("# type: ignore")


def test_what_has_no_types_stays_in_the_gateways() -> None:
    found = {str(path.relative_to(PACKAGE)): _untyped(path.read_text()) for path in MODULES}
    assert {name: count for name, count in found.items() if count} == UNTYPED


def test_the_top_level_holds_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True)
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base"}
    assert not {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts} & drawers


def test_sql_is_in_the_storage_alone() -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] != "storage":
            imported = {
                name
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for name in (
                    [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                )
            }
            assert not {"peewee", "sqlite3", "pysqlite3"} & imported, path
