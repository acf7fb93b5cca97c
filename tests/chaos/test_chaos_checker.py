"""Does the checker find what is wrong? Synthetic runs with one flaw each, and real ones of a queuectl with a bug."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pysqlite3
import pytest
from checker import check

import queuectl

_HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = """
CREATE TABLE jobs (id INTEGER PRIMARY KEY, public_id, queue DEFAULT 'default', state, attempts, max_retries, claim_seq);
CREATE TABLE attempts (job_id, number, outcome, exit_code, signal);
CREATE TABLE job_counts (queue, state, n);
CREATE TABLE chaos_moves (n INTEGER PRIMARY KEY, job, before, after, claim);
"""
# One job that crashed, was run again, and completed; one that is dead; one cancelled in time.
SOUND = [
    "INSERT INTO jobs VALUES (1, 'a', 'default', 'completed', 2, 3, 2), (2, 'b', 'default', 'dead', 1, 0, 1), "
    "(3, 'c', 'default', 'cancelled', 0, 3, 0)",
    "INSERT INTO attempts VALUES (1, 1, 'crashed', NULL, NULL), (1, 2, 'completed', 0, NULL), "
    "(2, 1, 'failed', 7, NULL)",
    "INSERT INTO job_counts VALUES ('default', 'completed', 1), ('default', 'dead', 1), ('default', 'cancelled', 1)",
    "INSERT INTO chaos_moves (job, before, after, claim) VALUES (1, 'pending', 'processing', 1), "
    "(1, 'processing', 'failed', 1), (1, 'failed', 'pending', 1), (1, 'pending', 'processing', 2), "
    "(1, 'processing', 'completed', 2), (2, 'pending', 'processing', 1), (2, 'processing', 'dead', 1), "
    "(3, 'pending', 'cancelled', 0)",
]
TRACE = [
    "begin a 1 100 9",
    "beat a 1 200 9",
    "begin a 2 300 10",
    "end a 2 320 10 0",
    "begin b 1 5 11",
    "end b 1 6 11 7",
]
ACKS = ["ack a", "ack b", "ack c", "cancel c", "refused d", "ack e"[:3]]


def findings(run: Path, changes: Iterable[str] = (), trace: Iterable[str] = (), acks: Iterable[str] = ()) -> set[str]:
    """The kinds of what the checker finds in a sound run with these flaws."""
    (run / "acks").mkdir()
    (run / "home" / "output" / "a").mkdir(parents=True)
    (run / "trace").write_text("".join(f"{line}\n" for line in [*TRACE, *trace]))
    (run / "acks" / "e0").write_text("".join(f"{line}\n" for line in [*acks, *ACKS[:-1]]) + ACKS[-1])
    made = pysqlite3.connect(str(run / "home" / "queue.db"))
    made.executescript(SCHEMA)
    for statement in [*SOUND, *changes]:
        made.execute(statement)
    made.commit()
    made.close()
    found = check(str(run))["findings"]
    assert isinstance(found, dict)
    return {kind for kind, lines in found.items() if lines}


def test_a_sound_run_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path) == set()


@pytest.mark.parametrize(
    ("kind", "changes", "trace", "acks"),
    [
        ("lost", [], [], ["ack gone"]),
        ("lost", ["UPDATE jobs SET state = 'processing' WHERE id = 2"], [], []),
        ("lost", ["UPDATE attempts SET outcome = NULL WHERE job_id = 2"], [], []),
        ("lost", ["UPDATE jobs SET state = 'cancelled' WHERE id = 1"], [], []),
        ("lost", [], ["begin z 1 5 11"], []),
        ("doubled", [], ["begin a 2 301 12"], []),
        ("doubled", ["INSERT INTO chaos_moves VALUES (99, 1, 'processing', 'completed', 2)"], [], []),
        ("doubled", ["UPDATE attempts SET outcome = 'completed' WHERE job_id = 1"], [], []),
        ("overlapped", [], ["beat a 1 301 13"], []),
        ("wrong", [], [], ["refused a"]),
        ("wrong", ["UPDATE jobs SET attempts = 1 WHERE id = 1"], [], []),
        ("wrong", ["INSERT INTO chaos_moves VALUES (99, 2, 'dead', 'pending', 1)"], [], []),
        ("wrong", ["UPDATE job_counts SET n = 2"], [], []),
        ("wrong", ["UPDATE attempts SET exit_code = 1 WHERE job_id = 2"], [], []),
        ("wrong", [], ["begin b 2 50 12"], []),
        ("wrong", [], ["beat b 2 50 12"], []),
        ("wrong", ["UPDATE jobs SET max_retries = 4 WHERE id = 2"], [], []),
    ],
)
def test_a_flaw_is_found(tmp_path: Path, kind: str, changes: list[str], trace: list[str], acks: list[str]) -> None:
    assert kind in findings(tmp_path, changes, trace, acks)


def test_what_is_left_over_is_found(tmp_path: Path) -> None:
    (tmp_path / "home" / "output").mkdir(parents=True)
    (tmp_path / "home" / "queue.db.new").touch()
    shutil.rmtree(tmp_path / "home" / "output")
    assert findings(tmp_path) == {"left_over"}


@pytest.mark.parametrize("hidden", [False, True])
def test_a_process_that_is_left_is_found(tmp_path: Path, hidden: bool) -> None:
    environment = {} if hidden else {"ITS_HOME": str(tmp_path / "home")}
    words = ["sh", "-c", "sleep 60; :", str(tmp_path / "trace")] if hidden else ["sleep", "60"]
    left = subprocess.Popen(words, env=environment)
    try:
        assert findings(tmp_path) == {"left_over"}
    finally:
        left.kill()
        left.wait()


def with_a_bug(directory: Path, file: str, *changes: tuple[str, str]) -> dict[str, str]:
    """The environment of a queuectl in which the texts are changed."""
    copy = directory / "queuectl"
    shutil.copytree(os.path.dirname(queuectl.__file__), copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    for before, after in changes:
        assert before in text, f"{file} has no {before!r} any more: plant the bug anew"
        text = text.replace(before, after)
    (copy / file).write_text(text)
    return {**os.environ, "PYTHONPATH": str(directory)}


FENCE = ("AND state = 'processing' AND worker_id = ? AND claim_seq = ?", "AND ? IS NOT NULL AND ? IS NOT NULL")


@pytest.mark.parametrize("fenced", [True, False])
def test_without_the_fence_a_stale_finish_is_found(tmp_path: Path, fenced: bool) -> None:
    bug = with_a_bug(tmp_path / "bug", "storage/claims.py", *([] if fenced else [FENCE]))
    run = tmp_path / "run"
    (run / "acks").mkdir(parents=True)
    (run / "home").mkdir()
    subprocess.run([sys.executable, os.path.join(_HERE, "stale.py"), run], env=bug, cwd=run, check=True)
    found = check(str(run))["findings"]
    assert isinstance(found, dict)
    assert {kind for kind, lines in found.items() if lines} == (set() if fenced else {"doubled", "wrong"})


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "mode", "file", "changes"),
    [
        (
            "overlapped",
            ["--kills-only", "--jobs", "120"],
            "worker/recovery.py",
            [
                ("grace = min(_GRACE, claim.spec.kill_grace_ms / 1000)", "grace = 0  # no TERM"),
                ("over = case.termination.step(now) is None", "over = True"),
            ],
        ),
        (
            "lost",
            ["--seconds", "10"],
            "worker/ledger.py",
            [
                (
                    "claims.finish(self._database, self._worker, self.unwritten)",
                    "claims.finish(self._database, self._worker, [each for each in self.unwritten if each.job % 10])",
                ),
            ],
        ),
    ],
    ids=["survivors-not-killed", "finish-dropped"],
)
def test_a_run_of_a_queuectl_with_a_bug_is_found_out(
    tmp_path: Path, kind: str, mode: list[str], file: str, changes: list[tuple[str, str]]
) -> None:
    bug = with_a_bug(tmp_path, file, *changes)
    words = [sys.executable, os.path.join(_HERE, "run.py"), *mode, "--patience", "8"]
    done = subprocess.run(words, env=bug, cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=280)
    assert done.returncode == 1, done.stdout
    assert json.loads(done.stdout[done.stdout.rindex('{\n  "mode"') :])[kind] > 0
    shutil.rmtree(done.stdout.splitlines()[0].rpartition(" ")[2])
