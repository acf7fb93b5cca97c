from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from queuectl.storage.database import Database


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a queue's database may be made."""
    return str(tmp_path / "queue.db")


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    made = Database(path, synchronous="normal")
    yield made
    made.close()
