"""A command pays only for what it uses: what is imported, not what a clock says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import Cli

import queuectl

DRIVER = """
import sys
from queuectl.cli.main import main
code = main()
sys.stderr.write("\\n" + "\\n".join(sys.modules))
sys.exit(code)
"""
HEAVY = {"rich", "yaml", "difflib", "psutil", "supervisor", "pathlib", "asyncio", "xmlrpc", "importlib.metadata"}
DATABASE = {"peewee", "pysqlite3", "sqlite3"}


def _loaded(cli: Cli, *words: str) -> set[str]:
    # -S: what the site's .pth files import is not ours.
    path = [*sys.path, str(Path(queuectl.__file__).parent.parent)]
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {path!r}\n{DRIVER}", *words]
    done = subprocess.run(command, env=cli.env, capture_output=True, cwd=cli.directory, check=False)
    loaded = set(done.stderr.decode().splitlines())
    assert "queuectl.cli.main" in loaded, done
    return loaded


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--help"], HEAVY | DATABASE | {"json", "queuectl.config"}),
        (["--version"], HEAVY | DATABASE | {"json"}),
        (["worker", "--help"], HEAVY | DATABASE | {"queuectl.worker.loop", "queuectl.pools.control"}),
        (["enqueue", "--help"], HEAVY | DATABASE),
        (["list"], HEAVY),
        (["list", "--json"], HEAVY),
        (["show", "one"], HEAVY),
        (["wait", "one", "--timeout", "0"], HEAVY | {"queuectl.queue.library"}),
        (["cancel", "one"], HEAVY),
        (["config", "get", "max_retries"], HEAVY | DATABASE),
        (["completion", "bash"], HEAVY - {"importlib.metadata"} | DATABASE),
    ],
)
def test_what_a_command_loads(cli: Cli, words: list[str], absent: set[str]) -> None:
    cli.enqueue(id="one")
    assert _loaded(cli, *words) & absent == set()


@pytest.mark.parametrize("words", [["--", "true"], ['{"command": "true"}'], ["--lines", "/dev/null"]])
def test_enqueue_loads_least(cli: Cli, words: list[str]) -> None:
    loaded = _loaded(cli, "enqueue", *words)
    unused = {"shutil", "tempfile", "subprocess", "queuectl.queue.library", "queuectl.storage.queries"}
    assert loaded & (HEAVY | unused | {"queuectl.storage.models", "queuectl.pools", "queuectl.services"}) == set()
    ours = {name for name in loaded if name.startswith("queuectl.")}
    assert {name for name in ours if name.startswith("queuectl.cli.")} <= {
        *("queuectl.cli.main", "queuectl.cli.catalogue", "queuectl.cli.command", "queuectl.cli.session"),
        *("queuectl.cli.enqueue", "queuectl.cli.enqueueing", "queuectl.cli.reading", "queuectl.cli.waiting"),
        *("queuectl.cli.when",),
    }


def test_rich_comes_where_it_draws(cli: Cli) -> None:
    cli.enqueue()
    assert "rich" in _loaded(cli, "list", "--color", "always")
    assert json.loads(cli("list", "--json", "--color", "always").out)


def test_a_bug_is_said_as_one(cli: Cli) -> None:
    script = "import sys\nfrom queuectl.cli import main, version\nversion.platform = None\nsys.exit(main.main())"
    for words, traced in ((["-v"], False), (["-v", "-v"], True)):
        command = [sys.executable, "-c", script, "version", "--json", *words]
        done = subprocess.run(command, env=cli.env, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("queuectl: error: internal error: AttributeError: ")
        assert "report it" in done.stderr
        assert ("Traceback" in done.stderr) == traced
