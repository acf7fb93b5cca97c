"""What is rendered for service managers of the system: refusals, and what supervisord's own parser reads back."""

from __future__ import annotations

import os
import shlex
import tempfile

import pytest
from hypothesis import example, given, settings
from test_supervisord_config import NASTY, read_back

from queuectl.domain.settings import Pool
from queuectl.errors import ConfigError
from queuectl.services.manager import Site, WorkerUnit, command
from queuectl.services.supervisord.shared import SharedSupervisord
from queuectl.services.systemd.rendering import parse, render
from queuectl.services.systemd.scope import SYSTEM, Scope

SITE = Site("/h", None, ("/usr/bin/python3", "-m", "queuectl"), "/h/logs", "/h/supervisor", 60, 10)._replace(
    account="queuectl", database="/h/queue.db"
)
UNIT = WorkerUnit("default", 0)
PERSON = Scope(True, "/home/a/.config/systemd/user", "default.target")

PLAIN = NASTY.filter(lambda text: text == text.strip() and not any(each in text for each in (" ;", " #")))


def template(site: Site, scope: Scope = SYSTEM) -> str:
    return render(site, scope, [UNIT])[f"{scope.directory}/queuectl-default@.service"]


@pytest.mark.parametrize("bad", ["a\nb", "a\0b", "a\rb", "a\x1bb", "a\x85b", "a\udc80b", "a\ufffeb", "a\U0001ffffb"])
@pytest.mark.parametrize("field", ["home", "config_file", "database"])
def test_what_no_unit_can_hold_is_refused(field: str, bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        template(SITE._replace(**{field: f"/{bad}"}))
    assert repr(f"/{bad}") in str(caught.value)
    assert caught.value.hint


def test_a_program_with_a_quote_in_its_path_is_refused() -> None:
    with pytest.raises(ConfigError, match="a program whose path has no quotes"):
        template(SITE._replace(program=('/opt/"q"/python',)))


@pytest.mark.parametrize("path", ["/a*", "/a?", "/[a]", "/a\\b", "/a ", "/a\nb"])
def test_an_environment_file_that_would_be_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"pools.default.environment_file"):
        template(SITE._replace(pools={"default": Pool("default", environment_file=path)}))


@pytest.mark.parametrize("name", ["ExecStart", "ExecStartPre", "User", "Type", "Restart", "MemoryMax", "KillMode"])
def test_a_directive_that_queuectl_writes_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"pools.default.directives.{name}: expected one that queuectl doesn't write"):
        template(SITE._replace(pools={"default": Pool("default", directives={name: "x"})}))


def test_directives_are_written_as_they_stand() -> None:
    pool = Pool("default", directives={"LimitNOFILE": "9", "CPUWeight": "20", "Environment": '"A=%i $x"'})
    assert template(SITE._replace(pools={"default": pool})).endswith(
        '\nCPUWeight=20\nEnvironment="A=%i $x"\nLimitNOFILE=9\n'
    )


def test_rendering_is_pure_and_independent_of_order() -> None:
    units = [WorkerUnit("b", 10), WorkerUnit("a", 0), WorkerUnit("b", 9)]
    files = render(SITE, SYSTEM, units)
    assert files == render(SITE, SYSTEM, units[::-1])
    assert list(files) == [
        f"{SYSTEM.directory}/queuectl{each}" for each in ("-a@.service", "-b@.service", ".target", ".slice")
    ]
    wants = "Wants=queuectl-a@0.service queuectl-b@9.service queuectl-b@10.service\n"
    assert wants in files[f"{SYSTEM.directory}/queuectl.target"]


def test_a_unit_carries_the_program_home_pool_and_instance_and_no_setting() -> None:
    start = "ExecStart=:/usr/bin/python3 -m queuectl worker run --home /h --pool default --instance %i\n"
    assert start in template(SITE)
    with_config = template(SITE._replace(config_file="/e t/c"))
    assert ' --home /h --config "/e t/c" --pool default --instance %i\n' in with_config
    assert "User=queuectl\n" in template(SITE)


def test_a_persons_systemd_gets_no_user_and_can_not_do_all() -> None:
    text = template(SITE, PERSON)
    assert "User=" not in text
    for pool in (Pool("default", hardening="strict"), Pool("default", group="games")):
        with pytest.raises(ConfigError, match=r"in the systemd of"):
            template(SITE._replace(pools={"default": pool}), PERSON)


def test_on_one_sqlite_file_all_are_one_user() -> None:
    with pytest.raises(
        ConfigError, match=r"pools.default.user: expected queuectl, whose the SQLite file is, got other"
    ):
        template(SITE._replace(pools={"default": Pool("default", user="other")}))
    with pytest.raises(ConfigError, match=r"service.user: expected other, whom /h belongs to, got queuectl") as caught:
        template(SITE._replace(owner="other"))
    assert caught.value.hint == "chown -R queuectl: /h"


def test_strict_shows_a_worker_its_own_files() -> None:
    assert "ProtectHome=yes\nReadWritePaths=/h\n" in template(SITE._replace(hardening="strict"))
    at_home = template(SITE._replace(hardening="strict", code=("/home/a/venv/bin/python",)))
    assert "ProtectHome=read-only\n" in at_home
    elsewhere = template(SITE._replace(hardening="strict", database="/srv/q/queue.db"))
    assert "ReadWritePaths=/h /srv/q\n" in elsewhere


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("queuectl-default@0.service", UNIT),
        ("queuectl-a-b@12.service", WorkerUnit("a-b", 12)),
        ("queuectl-default@.service", None),
        ("queuectl-default@x.service", None),
        ("queuectl-default@07.service", None),
        ("queuectl-default-0.service", None),
        ("other-default@0.service", None),
    ],
)
def test_the_names_of_units(name: str, unit: WorkerUnit | None) -> None:
    assert parse(name) == unit


HERE = "%(here)s"
"""What supervisord replaces, however it is escaped, in the files that it includes, and in that which includes them."""


@given(
    NASTY.filter(lambda name: name not in (".", "..") and len(name.encode()) < 100),
    NASTY,
    PLAIN,
    PLAIN.filter(lambda logs: HERE not in logs),
)
@example("%here)s", "%", "100% %%", "ä")
@example("%(here)s", "c", "p", "l")
@settings(deadline=None, max_examples=60)
def test_supervisords_parser_reads_it_all_as_it_was(home: str, config: str, person: str, logs: str) -> None:
    with tempfile.TemporaryDirectory() as top:
        try:
            os.makedirs(f"{top}/{logs}")
        except OSError:
            return  # too long a name
        text = "[unix_http_server]\nfile=/s\n[supervisord]\nchildlogdir={}\n[include]\nfiles={}/*.conf\n"
        with open(f"{top}/s.conf", "w", encoding="utf-8") as file:
            file.write(text.format(f"{top}/{logs}".replace("%", "%%"), top))
        site = SITE._replace(home=f"/{home}", config_file=f"/{config}", account_home=f"/{person}", account="nobody")
        try:
            ((_, rendered),) = SharedSupervisord(site, f"{top}/s.conf").render([UNIT]).items()
        except ConfigError:
            assert (
                any(each in person for each in "\"'\\")
                or any(map(str.isspace, home + logs))
                or any(HERE in each for each in (home, config, person))
            )
            return
        with open(f"{top}/program.ini", "w", encoding="utf-8") as file:
            file.write(rendered)
        with open(f"{top}/all.conf", "w", encoding="utf-8") as file:
            file.write("[supervisord]\n[include]\nfiles=*.ini\n")
        (group,) = read_back(f"{top}/all.conf").process_group_configs
        (program,) = group.process_configs
        assert tuple(shlex.split(program.command)) == command(site, UNIT)
        assert program.environment == {"HOME": f"/{person}", "USER": "nobody", "LOGNAME": "nobody"}
        assert program.stdout_logfile == f"{top}/{logs}/queuectl-default-0.log"
