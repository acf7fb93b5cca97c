"""What is rendered, and whether supervisord's own parser reads it back."""

from __future__ import annotations

import os
import shlex
import string
import tempfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from queuectl.errors import ConfigError
from queuectl.services.manager import Site, WorkerUnit, command
from queuectl.services.supervisord.escaping import command_line, plain
from queuectl.services.supervisord.rendering import render

SITE = Site("/h", None, ("/usr/bin/python3", "-m", "queuectl"), "/h/logs", "/h/supervisor", 60, 10)

NASTY = st.text(
    st.one_of(
        st.sampled_from(" ;#%'\"\\$`&|<>()[]{}=:,~*?!-\u00a0\u3000äß語\U0001f600"),
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"),
        st.sampled_from(string.ascii_letters),
    ),
    min_size=1,
    max_size=30,
)


def read_back(config: str) -> Any:
    """What supervisord makes of the file: its options, parsed by its own code."""
    from supervisor.options import ServerOptions

    options = ServerOptions()
    # As -X utf8 does for the daemon.
    options.open = lambda path, mode: open(path, mode, encoding="utf-8")  # noqa: SIM115  # type: ignore[method-assign]
    options.realize(["-c", config])
    return options


@given(NASTY.filter(lambda name: name not in (".", "..") and len(name.encode()) < 200), NASTY, NASTY)
@example(" ;a #b", "x ;y", "' ; #'")
@example("%(here)s", "%", "100% %%")
@example("a'\"b", "'' ;", '"')
@settings(deadline=None, max_examples=150)
def test_supervisords_parser_reads_command_and_paths_as_they_were(name: str, config: str, word: str) -> None:
    with tempfile.TemporaryDirectory() as top:
        home = os.path.join(top, name)
        supervisor, logs = f"{home}/supervisor", f"{home}/logs"
        os.makedirs(supervisor)
        os.makedirs(logs)
        site = Site(home, f"/etc/{config}", ("/bin/env", word), logs, supervisor, 60.5, 10)
        unit = WorkerUnit("heavy-duty", 3)
        path = f"{supervisor}/supervisord.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(render(site, [unit], f"{supervisor}/s.sock"))
        options = read_back(path)
        (group,) = options.process_group_configs
        (program,) = group.process_configs
        assert group.name == program.name == "queuectl-heavy-duty-3"
        assert tuple(shlex.split(program.command)) == command(site, unit)
        assert os.path.normpath(program.stdout_logfile) == f"{logs}/heavy-duty-3.log"
        assert options.logfile == f"{logs}/supervisord.log"
        assert options.pidfile == f"{supervisor}/supervisord.pid"
        assert options.childlogdir == supervisor
        assert options.server_configs[0]["file"] == f"{supervisor}/s.sock"
        assert options.server_configs[0]["chmod"] == 0o600
        assert (program.stopwaitsecs, program.startsecs, program.exitcodes) == (81, 0, [78])
        assert program.redirect_stderr
        assert options.umask == 0o077


@pytest.mark.parametrize("bad", ["a\nb", "a\0b", "a\rb", "a\x1bb", "a\udc80b"])
def test_what_no_line_can_hold_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        render(SITE._replace(home=f"/{bad}"), [WorkerUnit("default", 0)], "/h/supervisor/s")
    (problem,) = caught.value.problems
    assert problem.where == "worker default-0"
    assert repr(f"/{bad}") in problem.message


@pytest.mark.parametrize("bad", [" a", "a ", "a ;b", "a #b", "a\nb"])
def test_a_plain_value_that_would_be_cut_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="here: expected no"):
        plain(bad, "here")


@pytest.mark.parametrize("pool", ["a b", "a:b", "a/b", "a]b", "a%b", "", "a\nb"])
def test_a_pools_name_that_would_break_the_section_is_refused(pool: str) -> None:
    with pytest.raises(ConfigError, match="expected letters"):
        render(SITE, [WorkerUnit(pool, 0)], "/h/supervisor/s")


def test_rendering_is_pure_and_independent_of_order() -> None:
    units = [WorkerUnit("b", 10), WorkerUnit("a", 0), WorkerUnit("b", 9)]
    text = render(SITE, units, "/run/s")
    assert text == render(SITE, reversed(units), "/run/s")
    sections = [line for line in text.splitlines() if line.startswith("[program:")]
    assert sections == ["[program:queuectl-a-0]", "[program:queuectl-b-9]", "[program:queuectl-b-10]"]
    assert "file=/run/s\n" in text


def test_a_unit_carries_the_program_home_pool_and_instance_and_nothing_else() -> None:
    assert " ".join(command(SITE, WorkerUnit("p", 2))) == (
        "/usr/bin/python3 -m queuectl worker run --home /h --pool p --instance 2"
    )
    assert command(SITE._replace(config_file="/c.yaml"), WorkerUnit("p", 2))[5:9] == (
        "--home",
        "/h",
        "--config",
        "/c.yaml",
    )


def test_root_has_the_owner_of_the_home_run_it() -> None:
    assert "\nuser=alice\n" in render(SITE._replace(user="alice"), [], "/s")
    assert "user=" not in render(SITE, [], "/s")


def test_command_line_is_readable_where_nothing_needs_quoting() -> None:
    assert command_line(["/usr/bin/python3", "-m", "queuectl"], "x") == "/usr/bin/python3 -m queuectl"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("default-0", WorkerUnit("default", 0)),
        ("a-b-12", WorkerUnit("a-b", 12)),
        ("a-1-2", WorkerUnit("a-1", 2)),
        ("default", None),
        ("default-", None),
        ("-1", None),
        ("a-01", None),
        ("a-x", None),
        ("a-²", None),
    ],
)
def test_names_of_units(name: str, unit: WorkerUnit | None) -> None:
    assert WorkerUnit.parse(name) == unit
    if unit is not None:
        assert unit.name == name
