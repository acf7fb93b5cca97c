"""Changing settings by command."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from queuectl.config.edit import SCALE_FILE, get_value, reset, set_value, unset_value
from queuectl.config.installation import Installation
from queuectl.config.layers import load
from queuectl.domain.settings import Pool, Settings
from queuectl.errors import ConfigError, DatabaseReadOnly, DiskFull, UsageError


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    home = tmp_path / "home"
    return Installation(str(home), str(home / "queuectl.yaml"), False)


def now(place: Installation) -> Settings:
    return load(place, {}).settings


def written(place: Installation, file: str = "50-set.yaml") -> object:
    return yaml.safe_load((Path(place.config_dir) / file).read_text())


def test_a_set_value_counts_and_names_its_origin(place):
    set_value(place, "max-retries", "5")
    config = load(place, {})
    assert config.settings.max_retries == 5
    assert config.origins["max_retries"] == "config.d/50-set.yaml:2"


def test_a_persons_yaml_is_left_as_it_is(place):
    os.makedirs(place.home)
    Path(place.config_file).write_text("# mine\nmax_retries: 1   # few\n")
    set_value(place, "max_retries", "5")
    assert Path(place.config_file).read_text() == "# mine\nmax_retries: 1   # few\n"
    assert now(place).max_retries == 5


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("worker_timeout", "1h30m", "1h30m"),
        ("worker_timeout", "90", "1m30s"),
        ("output-limit", "1500000", 1500000),
        ("backoff_base", "2.5", 2.5),
        ("synchronous", "off", "off"),
        ("database", "", ""),
        ("database", "sqlite:////srv/q.db", "sqlite:////srv/q.db"),
    ],
)
def test_values_are_written_as_people_would(place, key, text, value):
    set_value(place, key, text)
    assert written(place) == {key.replace("-", "_"): value}
    assert load(place, {}).origins[key.replace("-", "_")] != "built-in"


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("[a, b]", ("a", "b")),
        ("a", ("a",)),
        ("all", None),
        ("[all]", ("all",)),
        ('["no", 1]', ("no", "1")),
        ("no", ("no",)),
    ],
)
def test_lists_are_written_in_yaml(place, text, queues):
    set_value(place, "pools.heavy.queues", text)
    assert now(place).pools["heavy"].queues == queues


@pytest.mark.parametrize(
    "text",
    ["no", "12:30", "1.10", "010", "", " a ", "é", "null", "#x", "a: b", "-", "1e3", "<<", "=", "0\x85", "a\n b"],
)
def test_a_single_value_counts_as_it_was_typed(place, text):
    set_value(place, "pools.default.env.MODE", text)
    set_value(place, "pools.default.env.OTHER", "1")  # the first must survive being read and written
    assert now(place).pools["default"].env == {"MODE": text, "OTHER": "1"}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.text())
def test_any_text_is_kept_or_refused(place, text):
    try:
        set_value(place, "pools.default.env.X", text)
    except UsageError:
        return
    got = now(place).pools["default"].env["X"]
    assert got == text or text.strip()[:1] in "[{\"'"


def test_a_whole_section_is_replaced(place):
    set_value(place, "pools.heavy.concurrency", "3")
    set_value(place, "pools.heavy", "{workers: 2, queues: [a], env: {A: b}}")
    assert now(place).pools["heavy"] == Pool("heavy", 2, 1, ("a",), {"A": "b"})
    set_value(place, "pools.heavy", "{}")
    assert now(place).pools["heavy"] == Pool("heavy")
    set_value(place, "pools.heavy.workers", "3")
    assert now(place).pools["heavy"] == Pool("heavy", 3)


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("max_retry", "5", "did you mean 'max_retries'"),
        ("max_retries", "many", "max_retries: expected a whole number from 0 to 1000, got 'many'"),
        ("max_retries", "[1]", "got a list"),
        ("max_retries", "[1", "not valid YAML"),
        ("worker_timeout", "12:30", "expected a duration"),
        ("pools.heavy.queues", "[a, no]", "got no, which YAML reads as false"),
        ("pools.heavy", "{worker: 3}", "did you mean 'workers'"),
        ("pools.heavy", "3", "expected keys with values"),
        ("retention", "30d", "expected keys with values"),
        ("pools.heavy.umask", "3", "isn't built yet"),
        ("service.slice", "a", "isn't built yet"),
        ("pools.default.env.A", "a\0b", "expected text"),
    ],
)
def test_what_is_wrong_is_a_usage_error_and_writes_nothing(place, key, text, says):
    with pytest.raises(UsageError) as caught:
        set_value(place, key, text)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
    assert not os.path.exists(place.home)


def test_unset_takes_a_key_or_a_section_back(place):
    set_value(place, "max_retries", "5")
    set_value(place, "pools.heavy.workers", "2")
    set_value(place, "pools.heavy.queues", "a")
    assert unset_value(place, "pools.heavy") is True
    assert written(place) == {"max_retries": 5}
    assert unset_value(place, "max-retries") is True
    assert not os.path.exists(os.path.join(place.config_dir, "50-set.yaml"))
    assert unset_value(place, "max_retries") is False
    assert now(place) == Settings()


def test_unset_in_a_home_that_is_not_there_makes_none(place):
    assert unset_value(place, "max_retries") is False
    assert reset(place) == []
    assert not os.path.exists(place.home)


def test_unset_of_no_key_is_a_usage_error(place):
    with pytest.raises(UsageError, match="did you mean 'max_retries'"):
        unset_value(place, "max_retrie")


def test_a_key_is_not_the_beginning_of_another(place):
    set_value(place, "pools.a.workers", "1")
    set_value(place, "pools.ab.workers", "1")
    unset_value(place, "pools.a")
    assert list(now(place).pools) == ["default", "ab"]


def test_scale_wins_over_set_and_is_taken_back_alone(place):
    set_value(place, "pools.default.workers", "2")
    set_value(place, "pools.default.workers", "4", file=SCALE_FILE)
    assert now(place).pools["default"].workers == 4
    assert unset_value(place, "pools.default.workers", file=SCALE_FILE) is True
    assert now(place).pools["default"].workers == 2


def test_the_last_command_wins_also_set_after_scale(place):
    set_value(place, "pools.default.workers", "4", file=SCALE_FILE)
    set_value(place, "pools.heavy.workers", "3", file=SCALE_FILE)
    set_value(place, "pools.default.workers", "2")
    assert now(place).pools["default"].workers == 2
    assert now(place).pools["heavy"].workers == 3
    assert unset_value(place, "pools") is True
    assert now(place) == Settings()


def test_reset_removes_what_queuectl_wrote_and_nothing_else(place):
    set_value(place, "max_retries", "5")
    set_value(place, "pools.default.workers", "4", file=SCALE_FILE)
    mine = Path(place.config_dir) / "70-mine.yaml"
    mine.write_text("max_workers: 5")
    assert [os.path.basename(path) for path in reset(place)] == ["50-set.yaml", "60-scale.yaml"]
    assert now(place) == Settings(max_workers=5)
    assert reset(place) == []


def test_a_damaged_file_is_not_overwritten_and_reset_removes_it(place):
    set_value(place, "max_retries", "5")
    file = Path(place.config_dir) / "50-set.yaml"
    file.write_text("max_retries: [\n")
    with pytest.raises(ConfigError, match=r"50-set\.yaml:2"):
        set_value(place, "max_retries", "6")
    with pytest.raises(ConfigError):
        unset_value(place, "max_retries")
    assert file.read_text() == "max_retries: [\n"
    assert reset(place) == [str(file)]
    assert now(place) == Settings()


def test_a_file_edited_by_hand_is_read_as_any_other(place):
    set_value(place, "max_retries", "5")
    (Path(place.config_dir) / "50-set.yaml").write_text("max-retries: 6\npools: {quiet: }\n")
    set_value(place, "kill_grace", "1s")
    assert written(place) == {"kill_grace": "1s", "max_retries": 6, "pools": {"quiet": {}}}
    assert list(now(place).pools) == ["default", "quiet"]


def test_files_are_private_and_leave_nothing_behind(place):
    set_value(place, "max_retries", "5")
    names = sorted(os.listdir(place.config_dir))
    assert names == [".lock", "50-set.yaml"]
    assert {stat.S_IMODE(os.stat(os.path.join(place.config_dir, name)).st_mode) for name in names} == {0o600}


def test_the_leftover_of_a_killed_process_does_no_harm(place):
    set_value(place, "max_retries", "5")
    (Path(place.config_dir) / "50-set.yaml.new").write_text("half of it")
    set_value(place, "max_retries", "6")
    assert now(place).max_retries == 6
    assert sorted(os.listdir(place.config_dir)) == [".lock", "50-set.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files as somebody else")
def test_what_root_sets_belongs_to_the_owner_of_the_home(place):
    os.makedirs(place.home)
    os.chown(place.home, 12345, 23456)
    set_value(place, "max_retries", "5")
    paths = [place.config_dir, *(os.path.join(place.config_dir, name) for name in os.listdir(place.config_dir))]
    assert {(os.stat(path).st_uid, os.stat(path).st_gid) for path in paths} == {(12345, 23456)}


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EROFS, DatabaseReadOnly)])
def test_a_write_that_fails_leaves_the_old_value(place, monkeypatch, number, kind):
    set_value(place, "max_retries", "5")

    def fail(fd):
        raise OSError(number, "x")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(kind):
            set_value(place, "max_retries", "6")
    assert now(place).max_retries == 5
    assert sorted(os.listdir(place.config_dir)) == [".lock", "50-set.yaml"]


def test_twenty_processes_that_set_at_once_lose_nothing(place):
    code = (
        "import sys\n"
        "from queuectl.config.edit import set_value\n"
        "from queuectl.config.installation import Installation\n"
        "for n in range(5):\n"
        "    set_value(Installation(sys.argv[1], sys.argv[1] + '/q', False), f'pools.p{sys.argv[2]}.env.V{n}', 'x')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, place.home, str(n)]) for n in range(20)]
    assert [process.wait() for process in running] == [0] * 20
    pools = now(place).pools
    assert len(pools) == 21
    assert all(len(pool.env) == 5 for name, pool in pools.items() if name != "default")


def test_values_are_got_by_key_and_by_section(place):
    set_value(place, "pools.heavy", "{workers: 2, queues: [a], env: {my.var: x}}")
    config = load(place, {})
    assert get_value(config, "max-retries") == 3
    assert get_value(config, "retention.dead") == 30 * 86400
    assert get_value(config, "retention") == {"dead": 30 * 86400, "audit": 30 * 86400}
    assert get_value(config, "pools.heavy.env.my.var") == "x"
    assert get_value(config, "pools.heavy.env") == {"my.var": "x"}
    assert get_value(config, "pools.default.env") == {}
    heavy = {"workers": 2, "concurrency": 1, "queues": ("a",), "env": {"my.var": "x"}}
    assert get_value(config, "pools.heavy") == {**get_value(config, "pools.default"), **heavy}
    assert sorted(get_value(config, "pools")) == ["default", "heavy"]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("max_retrie", "did you mean"),
        ("pools.nope", "no pool 'nope'; there are default"),
        ("pools.nope.workers", "no pool 'nope'"),
        ("pools.nope.env", "no pool 'nope'"),
        ("pools.default.env.X", "isn't set"),
    ],
)
def test_a_value_that_is_not_there_is_a_usage_error(place, key, says):
    with pytest.raises(UsageError, match=says):
        get_value(load(place, {}), key)
