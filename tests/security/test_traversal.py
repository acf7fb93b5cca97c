"""Names and paths that lead out of where they should."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from real_home import Home, until

from queuectl.errors import InvalidJob, QueuectlError

EVIL = [
    "..",
    ".",
    "../x",
    "/etc/passwd",
    "a/b",
    "a/../b",
    "x\0y",
    "x\ny",
    "",
    "..%2f",
    "+spool",
    "~",
    "a b",
    "é",
    "x" * 101,
]


@pytest.mark.parametrize("name", EVIL)
def test_ids_are_plain_names(home: Home, name: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        home.queue.enqueue("true", id=name)
    assert caught.value.key == "id"


@pytest.mark.parametrize("name", [each for each in EVIL if each and "\0" not in each])
def test_looking_up_an_evil_id_touches_nothing(home: Home, name: str) -> None:
    home.enqueue("true", id="x")
    for words in (["show"], ["logs"], ["cancel"], ["remove", "--yes"], ["retry"]):
        home.cli(*words, "--", name, code=4)
    assert os.path.isdir(f"{home.path}/output")
    assert os.path.exists(f"{home.path}/queue.db")


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..", "a/b", "x" * 300, "é\n"])
def test_an_imports_ids_stay_in_the_output_directory(home: Home, tmp_path: Path, name: str) -> None:
    record = {"command": "true", "state": "completed", "output": "x" * 9000, "id": name}
    (tmp_path / "jobs.json").write_text(json.dumps({name: record}))
    before = set(os.listdir(os.path.dirname(home.path)))
    home.cli("import", str(tmp_path / "jobs.json"), code=None)
    written = [path for path in Path(home.path).rglob("*") if path.is_file() and path.stat().st_size == 9000]
    assert all(path.parent.parent == Path(home.path, "output") for path in written)
    assert not [each for each in set(os.listdir(os.path.dirname(home.path))) - before if "evil" in each]
    assert not os.path.exists("/etc/evil")


def test_a_link_in_the_place_of_an_output_is_not_followed(home: Home, tmp_path: Path) -> None:
    """One job may write where it likes, as its user; but not have the worker write for another."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    worker = home.worker(concurrency=1)
    home.ended(home.enqueue("true"))
    (spool,) = until(lambda: list(Path(home.path, "output").glob("+*")), "the spool")
    home.ended(home.enqueue(f"rm -rf {spool}/0; ln -s {victim} {spool}/0"))
    job = home.enqueue("echo hello")
    assert home.ended(job).state.value == "completed"
    assert victim.read_text() == "mine"
    assert worker.poll() is None


def test_a_link_as_output_directory_is_not_written_through(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    home.enqueue("true", id="before")
    os.symlink(target, f"{home.path}/output/linked")
    home.worker()
    home.ended(home.enqueue("head -c 20000 /dev/zero", id="linked"))
    # The home is its owner's alone: whoever can put a link there is the owner. But forgetting the job must not
    # empty what the link names.
    (target / "kept").write_text("mine")
    home.cli("remove", "linked", "--yes")
    assert (target / "kept").read_text() == "mine"


def test_a_working_directory_that_is_none_fails_the_attempt_alone(home: Home, tmp_path: Path) -> None:
    home.worker()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for cwd in (tmp_path / "gone", tmp_path / "file", tmp_path / "loop"):
        job = home.ended(home.enqueue("true", cwd=str(cwd), max_retries=0))
        assert job.state.value == "dead"
        assert job.last is not None
        assert job.last.exit_code == 126


@pytest.mark.parametrize("cwd", ["x\0y", "\ud800", 7, ["/"]])
def test_a_working_directory_that_can_be_none_is_refused(home: Home, cwd: object) -> None:
    with pytest.raises(InvalidJob):
        home.queue.enqueue("true", cwd=cwd)


def test_examples_never_replace_or_follow(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").write_text("mine")
    os.symlink(tmp_path / "victim", tmp_path / "simple_job.json")
    os.symlink(tmp_path / "nowhere", tmp_path / "python_job.json")
    (tmp_path / "test_job.json").write_text("mine")
    home.cli("init", "--examples")
    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "test_job.json").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert json.loads((tmp_path / "job_template.json").read_text())["command"]


def test_a_link_in_the_place_of_configd_or_a_lock_is_no_way_out(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.symlink(victim, f"{home.path}/config.d/50-set.yaml")
    home.cli("config", "set", "max_retries", "2", code=None)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("pool", ["../x", "a/b", "..", "", "a b", "x\n"])
def test_pools_are_plain_names_too(home: Home, pool: str) -> None:
    home.enqueue("true")
    home.cli("config", "set", f"pools.{pool}.workers", "1", code=2)
    home.cli("worker", "run", "--pool", pool, code=2)
    assert sorted(os.listdir(f"{home.path}/locks")) == []


def test_a_backup_name_with_a_quote_is_a_name(home: Home, tmp_path: Path) -> None:
    home.enqueue("true")
    file = tmp_path / "it's; DROP TABLE jobs; --?mode=ro#.db"
    home.cli("db", "backup", str(file))
    assert file.exists()
    home.cli("db", "restore", str(file), "--yes")
    assert len(home.document("list")) == 1
    home.cli("db", "backup", "file:x.db?mode=memory", code=0)
    os.unlink("file:x.db?mode=memory")


def test_a_nul_in_a_path_is_refused(home: Home) -> None:
    from queuectl.cli.db import _path

    for name in ("", "a\0b"):
        with pytest.raises(QueuectlError):
            _path(name)
