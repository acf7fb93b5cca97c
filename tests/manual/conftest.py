"""The fixture of the tests of the manual."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from manual_shell import Shell, fresh_shell


@pytest.fixture
def shell() -> Iterator[Shell]:
    with fresh_shell() as made:
        yield made
