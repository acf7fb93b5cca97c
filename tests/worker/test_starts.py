"""What a worker looks at before it serves."""

from __future__ import annotations

import sqlite3

import pytest

from queuectl.storage.library import may_corrupt


@pytest.mark.skipif(not may_corrupt(sqlite3.sqlite_version_info), reason="the system's SQLite is a sound one")
def test_a_sqlite_that_is_unsafe_is_named(home, tmp_path):
    # Without pysqlite3 Peewee takes the system's.
    (tmp_path / "pysqlite3.py").write_text("raise ImportError")
    home.environment["PYTHONPATH"] = str(tmp_path)
    assert sqlite3.sqlite_version in home.await_log(home.start(), "database.unsafe")
