"""What the layers come to, where each value comes from, and all that can be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from queuectl.config.installation import Installation
from queuectl.config.layers import Config, load
from queuectl.config.limits import check_total
from queuectl.domain.settings import Pool, Service, Settings
from queuectl.errors import ConfigError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.d").mkdir()
    return tmp_path


def place(home: Path) -> Installation:
    return Installation(str(home), str(home / "queuectl.yaml"), False)


def read(home: Path, text: str = "", later: str = "", environ=None, flags=None) -> Config:
    if text:
        (home / "queuectl.yaml").write_text(text)
    if later:
        (home / "config.d" / "50-set.yaml").write_text(later)
    return load(place(home), environ or {}, flags)


def wrong(home: Path, text: str = "", **more) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(home, text, **more)
    assert caught.value.exit_code == 78
    return [str(problem).replace(f"{home}/", "") for problem in caught.value.problems]


def test_a_bare_home_has_the_built_in_settings(tmp_path):
    config = load(place(tmp_path / "nowhere"), {})
    assert config.settings == Settings()
    assert set(config.origins.values()) == {"built-in"}
    assert config.values.keys() == config.origins.keys()


@pytest.mark.parametrize("text", ["# nothing\n", "---\n", "pools:\nretention:\n", "pools: {default: }\n"])
def test_a_file_whose_keys_are_commented_out_changes_nothing(home, text):
    assert read(home, text).settings == Settings()


def test_every_key_reaches_its_setting(home):
    text = """
database: sqlite:////srv/q.db
max-retries: 5
backoff_base: 3
backoff_max: 2h
backoff_jitter: 0.2
worker_timeout: 1m
job_lock_timeout: 2m
max_workers: 20
cleanup_completed_after_hours: 48
retention: {dead: 1w}
log_level: debug
shutdown_timeout: 30
kill_grace: 5s
output_limit: 1MiB
min_free_space: 1GiB
synchronous: normal
pools:
  heavy: {workers: 2, concurrency: 3, queues: [video, backup], env: {TMPDIR: /scratch, N: 4}}
service: {manager: supervisord}
"""
    assert read(home, text).settings == Settings(
        database="sqlite:////srv/q.db",
        max_retries=5,
        backoff_base=3.0,
        backoff_max=7200.0,
        backoff_jitter=0.2,
        worker_timeout=60.0,
        job_lock_timeout=120.0,
        max_workers=20,
        cleanup_completed_after_hours=48.0,
        retention_dead=604800.0,
        log_level="debug",
        shutdown_timeout=30.0,
        kill_grace=5.0,
        output_limit=2**20,
        min_free_space=2**30,
        synchronous="normal",
        pools={
            "default": Pool("default"),
            "heavy": Pool("heavy", 2, 3, ("video", "backup"), {"TMPDIR": "/scratch", "N": "4"}),
        },
        service=Service("supervisord"),
    )


def test_each_layer_wins_over_the_one_before_and_origins_say_so(home):
    text = "worker_timeout: 1\nkill_grace: 1\nmax_retries: 1\nbackoff_base: 1\n"
    later = "kill_grace: 2\nmax_retries: 2\nbackoff_base: 2\n"
    environ = {"QUEUECTL_MAX_RETRIES": "3", "QUEUECTL_BACKOFF_BASE": "3", "QUEUECTL_RETENTION_DEAD": "9d"}
    config = read(home, text, later, environ, {"backoff_base": 4, "max_retries": None})
    found = config.settings
    assert (found.worker_timeout, found.kill_grace, found.max_retries, found.backoff_base) == (1.0, 2.0, 3, 4.0)
    assert {name: at for name, at in config.origins.items() if at != "built-in"} == {
        "worker_timeout": f"{home}/queuectl.yaml:1",
        "kill_grace": "config.d/50-set.yaml:1",
        "max_retries": "QUEUECTL_MAX_RETRIES",
        "backoff_base": "--backoff-base",
        "retention.dead": "QUEUECTL_RETENTION_DEAD",
    }
    assert config.values["retention.dead"] == 9 * 86400


def test_files_of_config_d_count_in_the_order_of_their_names(home):
    for number in (20, 10, 30):
        (home / "config.d" / f"{number}.yaml").write_text(f"max_retries: {number}")
    (home / "config.d" / "99.yaml.bak").write_text("max_retries: 99")
    (home / "config.d" / ".99.yaml").write_text("max_retries: 99")
    assert read(home).settings.max_retries == 30


def test_pools_merge_by_key_and_lists_replace(home):
    text = "pools:\n  default: {workers: 2, concurrency: 4, queues: [a, b], env: {A: x, B: y}}\n  other:\n"
    later = "pools: {default: {workers: 3, queues: [c], env: {B: z}}}"
    config = read(home, text, later)
    assert config.settings.pools == {
        "default": Pool("default", 3, 4, ("c",), {"A": "x", "B": "z"}),
        "other": Pool("other"),
    }
    assert config.origins["pools.default.workers"] == "config.d/50-set.yaml:1"
    assert config.origins["pools.default.concurrency"] == f"{home}/queuectl.yaml:2"
    assert config.origins["pools.default.env.A"] == f"{home}/queuectl.yaml:2"
    assert config.origins["pools.other.workers"] == "built-in"
    assert "pools.other" not in config.values


def test_the_built_in_pool_stays_first_beside_others(home):
    assert list(read(home, "pools: {zeta: {}, Alpha: {}}").settings.pools) == ["default", "Alpha", "zeta"]


def test_flags_reach_pools_too(home):
    assert read(home, flags={"pools.heavy.queues": ("a", "b")}).settings.pools["heavy"].queues == ("a", "b")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_retry: 1", "1: unknown key 'max_retry'; did you mean 'max_retries'?"),
        ("a: 1\nmax_retries: x", "2: max_retries: expected a whole number from 0 to 1000, got 'x'"),
        ("- a", "1: expected keys with values, as in `max_retries: 3`, got a list"),
        ("just text", "1: expected keys with values, as in `max_retries: 3`, got 'just text'"),
        ("no", "1: expected keys with values, as in `max_retries: 3`, got no, which YAML reads as false"),
        ("pools: 3", "1: pools: expected keys with values"),
        ("pools: {default: 3}", "1: pools.default: expected keys with values"),
        ("pools:\n  default:\n    env: [A]", "3: pools.default.env: expected keys with values"),
        ("retention: 30d", "1: retention: expected keys with values"),
        ("retention.dead: 30d", "1: unknown key 'retention.dead'; write it as retention: {dead: …}"),
        ("worker_timeout: 12:30", "1: worker_timeout: expected a duration like 90, 90s, 5m or 1h30m, got 12:30, which"),
        ("synchronous: off", "got off, which YAML reads as false: put it in quotes"),
        ("pools:\n  no: {}", "2: expected a name as the key, got no, which YAML reads as false"),
        ("pools:\n  p: {queues: [a, no]}", "2: pools.p.queues: expected all"),
        ("pools: {p: {env: {A: 1.10}}}", "1: pools.p.env.A: expected text, got 1.1: put it in quotes"),
        ("max-retries: 1\nmax_retries: 1", "2: key 'max_retries' is there twice, with a hyphen"),
        ("web: {port: 80}", "1: 'web' isn't built yet in this version of queuectl"),
        ("max_retries:", "1: max_retries: expected a whole number from 0 to 1000, got nothing"),
        ("max_retries: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(home, text, says):
    assert any(f"queuectl.yaml:{says}" in said or says in said for said in wrong(home, text))
    assert all(said.startswith("queuectl.yaml:") for said in wrong(home, text))


def test_all_problems_come_at_once_in_the_order_of_the_lines(home):
    said = wrong(
        home,
        "max_retries: -1\nfoo: 1\nmax_workers: 1\nmax_workers: 2\npools: {-x: {}}\n",
        later="kill_grace: x",
        environ={"QUEUECTL_LOG_LEVEL": "loud"},
    )
    assert [line.split(": ")[0] for line in said] == [
        "queuectl.yaml:1",
        "queuectl.yaml:2",
        "queuectl.yaml:4",
        "queuectl.yaml:5",
        "config.d/50-set.yaml:1",
        "QUEUECTL_LOG_LEVEL",
    ]


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("QUEUECTL_MAX_RETRY", "QUEUECTL_MAX_RETRIES"),
        ("QUEUECTL_max_retries", "QUEUECTL_MAX_RETRIES"),
        ("QUEUECTL_DATABASE_URL", "QUEUECTL_DATABASE"),
        ("QUEUECTL_CONFIGS", "QUEUECTL_CONFIG"),
    ],
)
def test_a_variable_near_to_a_key_is_a_slip(home, variable, near):
    assert wrong(home, environ={variable: "1"}) == [f"{variable}: no such setting; did you mean {near}?"]


@pytest.mark.parametrize(
    "name", ["HOME", "CONFIG", "JOB_ID", "ATTEMPT", "QUEUE", "POOL", "SLOT", "RUN", "", "MY_APP", "POOLS", "X" * 9999]
)
def test_other_variables_are_nobodys_business(home, name):
    assert read(home, environ={f"QUEUECTL_{name}": "anything"}).settings == Settings()


def test_an_empty_variable_counts_as_not_set(home):
    assert read(home, "max_retries: 7", environ={"QUEUECTL_MAX_RETRIES": " "}).settings.max_retries == 7


def test_text_in_the_environment_needs_no_quotes(home):
    assert read(home, environ={"QUEUECTL_SYNCHRONOUS": "off"}).settings.synchronous == "off"


def test_a_bad_variable_is_a_problem_where_it_stands(home):
    assert wrong(home, environ={"QUEUECTL_MAX_RETRIES": "x"}) == [
        "QUEUECTL_MAX_RETRIES: max_retries: expected a whole number from 0 to 1000, got 'x'"
    ]


@pytest.mark.parametrize("flags", [{"max_retries": "x"}, {"max_retry": 1}, {"pools.-x": {}}, {"pools": 3}])
def test_a_bad_flag_is_a_usage_error(home, flags):
    with pytest.raises(UsageError) as caught:
        read(home, flags=flags)
    assert caught.value.exit_code == 2


def test_a_named_config_must_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"c\.yaml: no such file"):
        load(Installation(str(tmp_path), str(tmp_path / "c.yaml"), True), {})


def test_a_directory_as_config_is_a_problem(home):
    (home / "queuectl.yaml").mkdir()
    assert wrong(home) == ["queuectl.yaml: expected a readable YAML file, got: is a directory"]


def test_a_file_that_may_not_be_read_is_a_problem(home, monkeypatch):
    def fail(*_args, **_more):
        raise PermissionError(13, "x")

    monkeypatch.setattr("builtins.open", fail)
    assert "permission denied; run as its owner, or with --user" in wrong(home)[0]


@pytest.mark.parametrize("name", ["queuectl.yml", "config.d/70-mine.yml"])
def test_a_file_that_would_be_overlooked_is_a_problem(home, name):
    (home / name).write_text("max_retries: 1")
    assert wrong(home) == [f"{name}: expected a name that ends in .yaml: this file isn't read; rename it"]


def test_more_workers_than_allowed_is_no_matter_for_reading_but_a_problem_for_starting(home):
    config = read(home, "max_workers: 10\npools: {default: {workers: 8}, heavy: {workers: 4}, none: {workers: 0}}")
    problem = check_total(config.settings)
    assert problem is not None
    assert "at most 10 workers" in str(problem)
    assert "got 12 (default 8, heavy 4)" in str(problem)
    assert check_total(Settings()) is None


def test_a_bare_home_loads_without_yaml_and_difflib(tmp_path):
    code = (
        "import sys, os\n"
        "from queuectl.config.installation import locate\n"
        "from queuectl.config.layers import load\n"
        "load(locate(sys.argv[1], None, False, os.environ), os.environ)\n"
        "print([name for name in ('yaml', 'difflib') if name in sys.modules])"
    )
    environ = {"PATH": os.defpath, "QUEUECTL_MAX_RETRIES": "5", "QUEUECTL_JOB_ID": "x"}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environ, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


_WORDS = some.sampled_from(
    [
        *("max_retries", "max-retries", "pools", "default", "workers", "queues", "env", "retention", "dead", "service"),
        *(
            "manager",
            "A",
            "no",
            "12:30",
            "5m",
            "10MiB",
            "-1",
            "1.5",
            "0x1",
            "true",
            "~",
            "x\0",
            "é",
            "\ufeff",
            "%",
            "@",
        ),
        *(":", "-", "[", "]", "{", "}", ",", "\n", "\n ", "\n   ", "\t", "#", "&a", "*a", "!", "!!int", "|", ">", "'"),
        *('"', "<<:", "---", "...", "?", "`"),
    ]
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    some.binary()
    | some.text().map(lambda t: t.encode("utf-8", "surrogatepass"))
    | some.lists(_WORDS).map(lambda w: " ".join(w).encode())
)
def test_any_file_gives_a_config_or_a_config_error(home, data):
    (home / "queuectl.yaml").write_bytes(data)
    try:
        config = load(place(home), {})
        assert isinstance(config.settings, Settings)
        return
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(problem.where.startswith(f"{home}/queuectl.yaml:") for problem in problems)


_TREES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=10,
)
_KEYS = some.sampled_from(["max_retries", "pools", "retention", "service", "database", "log_level", "output_limit"])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.dictionaries(_KEYS | some.text(), _TREES | some.dictionaries(some.just("default"), _TREES)))
def test_any_yaml_tree_gives_a_config_or_a_config_error(home, tree):
    import yaml

    (home / "queuectl.yaml").write_text(yaml.safe_dump(tree, allow_unicode=False))
    try:
        load(place(home), {})
    except ConfigError as error:
        said = str(error)
    else:
        return
    assert said
