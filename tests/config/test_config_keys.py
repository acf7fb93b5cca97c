"""The table of keys: each value, what it refuses, and how it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from queuectl.config.keys import Key, find, listed, show
from queuectl.domain.settings import Pool, Service, Settings


def key(name: str) -> Key:
    entry = find(name)[1]
    assert isinstance(entry, Key)
    return entry


def test_every_setting_has_a_key_with_its_default():
    flat = {name.replace(".", "_"): entry.default for name, entry in listed()}
    for field, default in Settings()._asdict().items():
        if field == "service":
            assert {f"service_{name}": value for name, value in Service()._asdict().items()}.items() <= flat.items()
        elif field != "pools":
            assert flat[field] == default
    for field, default in Pool("x")._asdict().items():
        if field not in ("name", "env", "directives"):
            assert flat[f"pools_NAME_{field}"] == default


@pytest.mark.parametrize(("name", "entry"), [pair for pair in listed() if pair[1].default is not None])
def test_every_default_is_read_back_from_how_it_is_shown(name, entry):
    assert entry.kind.parse(entry.kind.show(entry.default)) == entry.default
    assert entry.kind.parse(str(entry.kind.show(entry.default))) == entry.default
    assert entry.doc.endswith(".")
    assert entry.kind.expects


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("max_retries", 0, 0),
        ("max_retries", "7", 7),
        ("max_retries", 1000, 1000),
        ("backoff_base", 1, 1.0),
        ("backoff_base", "1.5", 1.5),
        ("backoff_jitter", "0.5", 0.5),
        ("backoff_max", "1h30m", 5400.0),
        ("worker_timeout", 0, 0.0),
        ("worker_timeout", "90", 90.0),
        ("job_lock_timeout", "1s", 1.0),
        ("cleanup_completed_after_hours", 0.5, 0.5),
        ("retention.dead", "2w", 1209600.0),
        ("log_level", " DEBUG ", "debug"),
        ("synchronous", "off", "off"),
        ("output_limit", "1.5 MiB", 1572864),
        ("output_limit", "8192", 8192),
        ("min_free_space", 0, 0),
        ("database", "", ""),
        ("database", None, ""),
        ("database", "sqlite:////srv/q.db", "sqlite:////srv/q.db"),
        ("service.manager", "supervisord", "supervisord"),
        ("service.manager", "systemd", "systemd"),
        ("service.user", "www-data", "www-data"),
        ("service.supervisord_config", "/etc//supervisord.conf", "/etc/supervisord.conf"),
        ("pools.p.nice", -5, -5),
        ("pools.p.memory_max", "8GiB", 8 * 2**30),
        ("pools.p.cpu_quota", "150%", 150),
        ("pools.p.cpu_quota", 0, 0),
        ("pools.p.directives.LimitNOFILE", 65536, "65536"),
        ("pools.p.directives.PrivateTmp", True, "yes"),
        ("pools.p.directives.CPUAffinity", "0-3 %", "0-3 %"),
        ("pools.p.workers", 0, 0),
        ("pools.p.concurrency", 64, 64),
        ("pools.p.queues", "video", ("video",)),
        ("pools.p.queues", ["a", 1, "a"], ("a", "1")),
        ("pools.p.queues", "all", None),
        ("pools.p.queues", ["all"], ("all",)),
        ("pools.p.env.A", 12, "12"),
        ("pools.p.env.A", "", ""),
        ("pools.p.env.A", "a\nb", "a\nb"),
    ],
)
def test_good_values(name, given, value):
    assert key(name).kind.parse(given) == value


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("max_retries", -1, "expected a whole number from 0 to 1000, got -1"),
        ("max_retries", 1001, "got 1001"),
        ("max_retries", 3.5, "got 3.5"),
        ("max_retries", True, "got true"),
        ("max_retries", None, "got nothing"),
        ("max_retries", "three", "got 'three'"),
        ("max_retries", "٣", "got '٣'"),
        ("max_retries", [1], "got a list"),
        ("max_retries", {"a": 1}, "got a mapping"),
        ("backoff_base", 0.5, "expected a number from 1 to 1000, got 0.5"),
        ("backoff_base", float("nan"), "got nan"),
        ("backoff_base", "inf", "got 'inf'"),
        ("backoff_jitter", 1.1, "from 0 to 1, got 1.1"),
        ("worker_timeout", -1, "expected a duration like 90, 90s, 5m or 1h30m, got -1"),
        ("worker_timeout", "soon", "got 'soon'"),
        ("worker_timeout", "12:30", "got '12:30'"),
        ("job_lock_timeout", "500ms", "at least 1s, got '500ms'"),
        ("job_lock_timeout", 0, "at least 1s"),
        ("max_workers", 0, "from 1 to 1000"),
        ("cleanup_completed_after_hours", "24h", "expected a number of hours"),
        ("output_limit", "1KiB", "at least 4KiB"),
        ("output_limit", "10 mules", "expected a size"),
        ("service.user", "a b", "expected the name of an account, or nothing, got 'a b'"),
        ("service.user", "root\n", "got 'root\\n'"),
        ("service.user", "%u", "got '%u'"),
        ("pools.p.environment_file", "etc/x", "expected an absolute path, or nothing, got 'etc/x'"),
        ("pools.p.environment_file", "/a\nb", "expected an absolute path"),
        ("pools.p.cpu_quota", 2, "expected percents of one CPU, like 50% or 200%, got 2"),
        ("pools.p.cpu_quota", "1.5", "got '1.5'"),
        ("pools.p.directives.Nice", "5\nExecStart=/bin/sh", "expected text in one line"),
        ("pools.p.directives.Nice", "5\\", "without a space at an end or a backslash"),
        ("pools.p.directives.Nice", 1.5, "put it in quotes"),
        ("log_level", "loud", "expected debug, info, warning or error, got 'loud'"),
        ("synchronous", False, "expected full, normal or off, got false"),
        ("service.manager", "upstart", "expected auto, supervisord or systemd, got 'upstart'"),
        ("database", "sqlite:///rel.db", "use an absolute path"),
        ("database", "sqlite://", "use an absolute path"),
        ("database", "sqlite://:memory:", "use an absolute path"),
        ("database", "/srv/q.db", "write sqlite:////srv/q.db"),
        ("database", "sqlite:////srv/", "the path of a file"),
        ("database", "sqlite:////srv/q.db?mode=ro", "without options"),
        ("database", "mysql://x", "got 'mysql://x'"),
        ("database", 5, "got 5"),
        ("pools.p.workers", -1, "from 0 to 1000"),
        ("pools.p.concurrency", 65, "from 1 to 64"),
        ("pools.p.concurrency", 0, "from 1 to 64"),
        ("pools.p.queues", [], "got an empty list"),
        ("pools.p.queues", ["a b"], "got 'a b'"),
        ("pools.p.queues", [1.5], "got 1.5"),
        ("pools.p.queues", [["a"]], "got a list"),
        ("pools.p.queues", "a" * 65, "at most 64"),
        ("pools.p.queues", "a\n", "got 'a\\n'"),
        ("pools.p.env.A", 1.1, "put it in quotes"),
        ("pools.p.env.A", True, "put it in quotes"),
        ("pools.p.env.A", "a\0", "expected text"),
        ("pools.p.env.A", "a\udcff", "expected text"),
        ("pools.p.env.A", None, "got nothing"),
    ],
)
def test_bad_values_say_what_was_expected_and_got(name, given, says):
    with pytest.raises(ValueError, match="expected") as caught:
        key(name).kind.parse(given)
    assert says in str(caught.value)


def test_a_password_is_not_repeated():
    with pytest.raises(ValueError, match="PostgreSQL isn't built yet") as caught:
        key("database").kind.parse("postgresql://ann:secret@db/queue")
    assert "secret" not in str(caught.value)


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(ValueError, match="got 'xxx") as caught:
        key("max_retries").kind.parse("x" * 100_000)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("max-retries", "max_retries"),
        ("retention.dead", "retention.dead"),
        ("pools.my-pool.workers", "pools.my-pool.workers"),
        ("pools.Heavy_2.env.my.var-x", "pools.Heavy_2.env.my.var-x"),
        ("pools.default", "pools.default"),
        ("service", "service"),
    ],
)
def test_keys_are_found(name, canonical):
    assert find(name)[0] == canonical


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("max_retry", "did you mean 'max_retries'"),
        ("max-retrys", "did you mean 'max_retries'"),
        ("retention.ded", "did you mean 'dead'"),
        ("dead", "belongs to retention.dead"),
        ("workers", "belongs to pools.NAME.workers"),
        ("pools.default.worker", "did you mean 'workers'"),
        ("max_retries.x", "'max_retries' has no keys of its own"),
        ("pools.-x.workers", "expected a pool's name"),
        ("pools..workers", "expected a pool's name"),
        ("pools." + "a" * 33, "expected a pool's name"),
        ("pools.a\n", "expected a pool's name"),
        ("pools.p.env.A=B", "expected the name of an environment variable"),
        ("pools.", "expected a pool's name"),
        ("", "unknown key ''"),
        (".", "unknown key ''"),
        ("x" * 100_000, "unknown key"),
        ("pools.p.umask", "'pools.p.umask' isn't built yet in this version of queuectl"),
        ("pools.p.memory-high", "isn't built yet"),
        ("service.slice", "isn't built yet"),
        ("queues", "isn't built yet"),
        ("schedules", "isn't built yet"),
        ("templates.x.y", "isn't built yet"),
        ("webhooks", "isn't built yet"),
        ("web", "isn't built yet"),
    ],
)
def test_keys_that_are_not_there_say_what_is_near(name, says):
    with pytest.raises(ValueError, match=r"key|expected|built") as caught:
        find(name)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("worker_timeout", 300.0, "5m"),
        ("output_limit", 10 * 2**20, "10MiB"),
        ("output_limit", 1_500_000, "1500000"),
        ("kill_grace", 0.25, "250ms"),
        ("kill_grace", 0.00025, "0.00025"),
        ("backoff_base", 2.0, "2"),
        ("pools.p.queues", ("a", "b"), "[a, b]"),
        ("pools.p.queues", None, "all"),
        ("pools.p.env.X", "a b", "a b"),
        ("database", "", ""),
    ],
)
def test_values_are_shown_as_people_write_them(name, value, text):
    assert show(name, value) == text


@given(some.floats(1, 1e8))
def test_no_duration_changes_by_being_shown(seconds):
    kind = key("job_lock_timeout").kind
    assert kind.parse(kind.show(seconds)) == seconds


@given(some.integers(4096, 2**62))
def test_no_size_changes_by_being_shown(size):
    kind = key("output_limit").kind
    assert kind.parse(kind.show(size)) == size


@given(some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.lists(some.text()))
def test_any_value_is_read_or_refused(value):
    for name, entry in listed():
        said = "expected"
        try:
            entry.kind.parse(value)
        except ValueError as error:
            said = str(error)
        assert said.startswith("expected"), name
