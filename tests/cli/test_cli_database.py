"""A database that can't serve: a clear line, nothing overwritten."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cli_runner import Cli, fails

COMMANDS = (["enqueue", "--", "true"], ["status"], ["dlq", "retry"])


def _everywhere(cli: Cli, *said: str) -> None:
    before = {path: path.read_bytes() for path in cli.home.glob("queue.db*")}
    for words in COMMANDS:
        fails(cli(*words, code=None), 1, str(cli.home), *said)
    assert {path: path.read_bytes() for path in cli.home.glob("queue.db*")} == before


def test_an_empty_file(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "queue.db").touch()
    _everywhere(cli, "empty")


def test_a_truncated_file(cli: Cli) -> None:
    cli("enqueue", "--lines", "-", stdin="true\n" * 1000)
    path = cli.home / "queue.db"
    os.truncate(path, path.stat().st_size // 2)
    _everywhere(cli, "put a backup in its place")


def test_a_file_that_is_none(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "queue.db").write_text("these are my notes\n" * 1000)
    _everywhere(cli, "no SQLite database")


def test_somebody_elses_database(cli: Cli) -> None:
    cli.home.mkdir()
    with sqlite3.connect(cli.home / "queue.db") as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()
    _everywhere(cli, "another program's database")


def test_a_newer_one(cli: Cli) -> None:
    cli.enqueue()
    with sqlite3.connect(cli.home / "queue.db") as database:
        database.execute("PRAGMA user_version = 99000")
    database.close()
    _everywhere(cli, "99000", "pip install -U queuectl")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_one_that_can_not_be_written(cli: Cli) -> None:
    # Somebody else may neither pass through pytest's directories, nor read our Python: hence another directory, and a
    # program that loads all before it becomes that person.
    driver = """
import os, sys, encodings.idna, queuectl.storage.migrations
from queuectl.cli import enqueue, enqueueing, main, reading, waiting, when
from queuectl.cli.output import visible
from queuectl.config import layers
from queuectl.queue import opening
os.setgid(65534); os.setuid(65534)
sys.exit(main.main())
"""
    with tempfile.TemporaryDirectory() as home:
        cli("enqueue", "--home", home, "--", "true")
        os.chmod(home, 0o755)
        for path in Path(home).iterdir():
            os.chmod(path, 0o755)
        command = [sys.executable, "-c", driver, "enqueue", "--home", home, "--", "true"]
        done = subprocess.run(command, env=cli.env, capture_output=True, cwd="/", check=False)
    assert done.returncode == 1, done
    assert done.stderr.count(b"queuectl: error: ") == 1
    assert b"can't be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_home_that_can_not_be_made(cli: Cli) -> None:
    home = Path("/proc/nope")
    fails(cli("enqueue", "--home", str(home), "--", "true", code=None), 1, "/proc/nope")
