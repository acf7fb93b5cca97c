from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(str(tmp_path))
    yield made
    made.close()
