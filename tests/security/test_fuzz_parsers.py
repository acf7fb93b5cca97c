"""Whatever comes in, a value comes out or the documented error: parsers.py, under two fuzzers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import CASES, profile
from parsers import PARSERS


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("parser", PARSERS)
def test_by_chance(parser: str, cases: int) -> None:
    profile(cases)(PARSERS[parser].fed())()


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("parser", PARSERS)
def test_guided_to_what_no_case_has_reached(parser: str, cases: int, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="there is no atheris for this machine")
    script = Path(__file__).with_name("guided.py")
    done = subprocess.run(
        [sys.executable, str(script), parser, str(cases)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {cases} runs" in done.stderr
