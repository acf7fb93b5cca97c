"""Outputs without a job are removed, once they are as old as a completed job may become; nothing else is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from queue_file import add, new_job

from queuectl.storage.database import Database
from queuectl.worker import sweeping
from queuectl.worker.sweeping import Sweeper

DAY = 86400.0


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    made = tmp_path / "output"
    for name, old in (("gone", True), ("gone-just-now", False), ("there", True), ("+spool", True)):
        (made / name).mkdir(parents=True)
        (made / name / "1").write_text("x")
        if old:
            os.utime(made / name, (0, 0))
    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(str(tmp_path / "queue.db"), synchronous="off")
    add(made, new_job("there"))
    yield made
    made.close()


def names(outputs: Path) -> list[str]:
    return sorted(os.listdir(outputs))


def test_what_has_no_job_and_is_old_is_removed(outputs: Path, database: Database) -> None:
    Sweeper(database, str(outputs), DAY).work(0)
    assert names(outputs) == ["+spool", "gone-just-now", "there"]


def test_where_jobs_are_kept_for_ever_so_is_all_else(outputs: Path, database: Database) -> None:
    Sweeper(database, str(outputs), 0).work(0)
    assert "gone" in names(outputs)


def test_it_goes_on_part_by_part_and_begins_anew_an_hour_later(
    outputs: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queuectl.storage.retention.AT_ONCE", 1)
    sweeper = Sweeper(database, str(outputs), DAY)
    for moment in range(6):
        sweeper.work(moment)
    assert "gone" not in names(outputs)
    (outputs / "gone").mkdir()
    os.utime(outputs / "gone", (0, 0))
    sweeper.work(60)
    assert "gone" in names(outputs)
    for moment in range(6):
        sweeper.work(10 + sweeping._EVERY + moment)
    assert "gone" not in names(outputs)


def test_what_goes_meanwhile_is_no_trouble(outputs: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.scandir(outputs)
    shutil.rmtree(outputs)
    Sweeper(database, str(outputs), DAY).work(0)
    monkeypatch.setattr(os, "scandir", lambda path: found)
    Sweeper(database, str(outputs), DAY).work(0)
