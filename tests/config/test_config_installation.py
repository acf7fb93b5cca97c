"""Where an installation lies, and how its home is made."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from queuectl.config.installation import Installation, create, database_file, hand_over, locate, refused
from queuectl.domain.settings import Settings
from queuectl.errors import ConfigError, DatabaseError, DatabaseReadOnly, DiskFull, UsageError


def at(tmp_path: Path, home=None, config=None, user=False, system=False, **environ: str) -> Installation:
    system_config = tmp_path / "etc.yaml"
    if system:
        system_config.touch()
    environ.setdefault("HOME", "/home/ann")
    return locate(home, config, user, environ, system_config=str(system_config), system_home="/srv/system")


def test_without_anything_the_home_is_the_persons_own(tmp_path):
    assert at(tmp_path) == Installation("/home/ann/.queuectl", "/home/ann/.queuectl/queuectl.yaml", False)


def test_the_systems_yaml_makes_the_systems_home_count(tmp_path):
    assert at(tmp_path, system=True) == Installation("/srv/system", str(tmp_path / "etc.yaml"), False)


def test_user_means_the_persons_own_all_the_same(tmp_path):
    assert at(tmp_path, system=True, user=True).home == "/home/ann/.queuectl"
    assert at(tmp_path, system=True, user=True).config_file == "/home/ann/.queuectl/queuectl.yaml"


def test_the_option_beats_the_environment_beats_the_system(tmp_path):
    assert at(tmp_path, system=True, QUEUECTL_HOME="/env").home == "/env"
    assert at(tmp_path, home="/opt", system=True, QUEUECTL_HOME="/env").home == "/opt"


def test_the_systems_home_named_by_hand_has_the_systems_yaml(tmp_path):
    assert at(tmp_path, home="/srv/system").config_file == str(tmp_path / "etc.yaml")


def test_a_named_config_is_explicit(tmp_path):
    assert at(tmp_path, config="/c.yaml")[1:] == ("/c.yaml", True)
    assert at(tmp_path, QUEUECTL_CONFIG="/e.yaml")[1:] == ("/e.yaml", True)
    assert at(tmp_path, config="/c.yaml", QUEUECTL_CONFIG="/e.yaml").config_file == "/c.yaml"


def test_an_empty_variable_counts_as_not_set(tmp_path):
    assert at(tmp_path, QUEUECTL_HOME="", QUEUECTL_CONFIG="") == at(tmp_path)


@pytest.mark.parametrize(("given", "home"), [("~/q", "/home/ann/q"), ("~", "/home/ann"), ("/a/../b//c/", "/b/c")])
def test_paths_are_absolute_and_tildes_expanded(tmp_path, given, home):
    assert at(tmp_path, home=given).home == home


def test_a_relative_path_starts_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert at(tmp_path, home="q").home == str(tmp_path / "q")


@pytest.mark.parametrize("option", ["home", "config"])
@pytest.mark.parametrize("value", ["", "a\0b"])
def test_a_path_that_is_none_is_a_usage_error(tmp_path, option, value):
    with pytest.raises(UsageError, match=f"--{option}: expected a path"):
        at(tmp_path, **{option: value})


def test_a_relative_path_without_a_working_directory_is_a_usage_error(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="working directory is gone"):
        at(tmp_path, home="q")


def test_nobodys_home_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="HOME: expected your home"):
        at(tmp_path, HOME="")


def test_what_lies_in_the_home():
    place = Installation("/h", "/h/queuectl.yaml", False)
    names = ("database", "config_dir", "locks", "output", "logs", "supervisor", "backups")
    found = [getattr(place, name) for name in names]
    assert found == ["/h/queue.db", "/h/config.d", "/h/locks", "/h/output", "/h/logs", "/h/supervisor", "/h/backups"]


def test_the_database_is_in_the_home_unless_named():
    place = Installation("/h", "/h/queuectl.yaml", False)
    assert database_file(place, Settings()) == "/h/queue.db"
    assert database_file(place, Settings(database="sqlite:////srv/q.db")) == "/srv/q.db"


def home_at(path: Path) -> Installation:
    return Installation(str(path), str(path / "queuectl.yaml"), False)


def test_create_makes_a_private_home_and_is_harmless_again(tmp_path):
    place = home_at(tmp_path / "a" / "b" / "home")
    create(place)
    create(place)
    made = [place.home, *(os.path.join(place.home, name) for name in os.listdir(place.home))]
    assert len(made) == 7
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in made} == {0o700}


def test_twenty_processes_may_create_the_home_at_once(tmp_path):
    code = (
        "import sys; from queuectl.config.installation import *; create(Installation(sys.argv[1], sys.argv[1], False))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a" / "b" / "home")]
    running = [subprocess.Popen(command) for _ in range(20)]
    assert [process.wait() for process in running] == [0] * 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files as somebody else")
def test_what_root_makes_belongs_to_the_owner_of_the_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, 23456)
    place = home_at(home)
    create(place)
    with open(home / "file", "w") as file:
        hand_over(file.fileno(), place)
    owners = {(os.stat(home / name).st_uid, os.stat(home / name).st_gid) for name in os.listdir(home)}
    assert owners == {(12345, 23456)}


@pytest.mark.parametrize("inside", ["home", "below/home"])
def test_a_file_in_the_way_is_a_config_error(tmp_path, inside):
    (tmp_path / inside.split("/")[0]).write_text("")
    with pytest.raises(ConfigError, match="not a directory"):
        create(home_at(tmp_path / inside))


def test_a_dangling_link_in_the_way_is_a_config_error(tmp_path):
    (tmp_path / "home").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="not a directory"):
        create(home_at(tmp_path / "home"))


def test_a_link_to_a_directory_is_a_home(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    create(home_at(tmp_path / "home"))
    assert (tmp_path / "real" / "output").is_dir()


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        ("EACCES", DatabaseReadOnly, "permission denied"),
        ("EPERM", DatabaseReadOnly, "not permitted"),
        ("EROFS", DatabaseReadOnly, "read-only"),
        ("ENOSPC", DiskFull, "no space left"),
        ("EDQUOT", DiskFull, "quota"),
        ("ENAMETOOLONG", ConfigError, "too long"),
        ("EIO", DatabaseError, "input/output error"),
    ],
)
def test_each_refusal_of_the_system_has_its_error(tmp_path, monkeypatch, number, kind, says):
    import errno

    def fail(path, mode=0):
        raise OSError(getattr(errno, number), "x", path)

    monkeypatch.setattr("os.mkdir", fail)
    with pytest.raises(kind, match=says) as caught:
        create(home_at(tmp_path / "home"))
    assert str(tmp_path / "home") in str(caught.value)


def test_a_refusal_without_a_file_name_names_the_place():
    assert "/there" in str(refused(OSError(28, "x"), "/there"))


def test_a_place_where_nothing_can_be_made_is_said():
    with pytest.raises(DatabaseError, match="/proc/queuectl: can't be written"):
        create(home_at(Path("/proc/queuectl")))
