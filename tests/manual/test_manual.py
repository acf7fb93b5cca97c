"""Every command line of the ancestor's manual has a case, and every case a line."""

from __future__ import annotations

import glob
import importlib
import os

from manual_lines import LINES, covered


def test_each_line_has_a_case_and_each_case_a_line():
    for path in glob.glob(os.path.join(os.path.dirname(__file__), "test_manual_*.py")):
        importlib.import_module(os.path.basename(path)[:-3])
    assert LINES - covered == set()
    assert covered - LINES == set()
