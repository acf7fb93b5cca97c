"""On a bare Debian, made for this test: README's three lines, and the manual's lines about pip."""

from __future__ import annotations

from pathlib import Path

import pytest
from bare_root import report_of


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    return report_of(Path(__file__).with_name("inside.py"), tmp_path_factory.mktemp("bare"))


pytestmark = pytest.mark.timeout(600)


def test_the_demo_shows_it_all(report):
    demo = report["demo"]
    assert demo["code"] == 0
    listed = demo["said"].partition("$ queuectl list\n")[2].partition("\n$ ")[0]
    rows = {line.split()[0]: line.split()[1:4] for line in listed.splitlines()}
    assert [rows[job][0] for job in ("hello", "flaky", "stuck", "urgent")] == [
        "completed", "completed", "dead", "completed",
    ]  # fmt: skip
    assert (rows["flaky"][2], rows["broken"][2], rows["urgent"][1]) == ("2/4", "2/2", "10")
    assert "queuectl dlq list" in demo["said"]


def test_its_supervisord_lives_while_it_runs_and_nothing_after(report):
    assert "supervisord" in report["demo"]["supervisord"]
    assert report["demo"]["left"] == []


def test_it_touches_nothing_but_a_home_of_its_own(report):
    assert (report["demo"]["changed"], report["demo"]["temporary"]) == ([], [])


def test_pip_lists_removes_and_brings_it_back(report):
    assert report["listed"][0] == "queuectl"
    assert report["uninstalled"]
    assert "enqueue" in report["help"]


def test_it_validates_itself_without_pytest(report):
    assert "✗" not in report["validation"]
    assert report["validation"].splitlines()[-1].endswith(" 0 failed")
