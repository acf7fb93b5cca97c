"""What is written into units, read back by systemd itself."""

from __future__ import annotations

import json
import os
import string
import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import UNITS, Machine

from queuectl.services.manager import Site, WorkerUnit, command
from queuectl.services.systemd.rendering import render
from queuectl.services.systemd.scope import SYSTEM

DUMP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dump.py")
NASTY = st.text(
    st.one_of(
        st.sampled_from(" ;#%'\"\\$`&|<>()[]{}=:,~*?!-@+\u00a0\u3000\u2028äß語\U0001f600"),
        st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="/"),
        st.sampled_from(string.ascii_letters),
    ),
    min_size=1,
    max_size=30,
)
NAMES = NASTY.filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
TRICKY = [
    "%i %n %%",
    "$HOME ${HOME} $$",
    '"',
    "'",
    "\\",
    "\\x41\\n",
    "a\\",
    " a ",
    ";",
    "#",
    "a;b",
    "ä 語",
    "-x",
    "@a",
    ":a",
]


def shown(machine: Machine, text: str) -> set[str]:
    """The words that `systemctl show` quoted, as it does for a shell."""
    return set(machine.run("sh", "-c", f"printf '%s\\0' {text}").split("\0")) - {""}


@given(st.lists(st.tuples(NAMES, NAMES, NASTY), min_size=1, max_size=12))
@example([(name, name, name) for name in TRICKY])
@settings(deadline=None, max_examples=15)
def test_systemd_reads_every_path_and_word_as_it_was(shared: Machine, values: list[tuple[str, str, str]]) -> None:
    sites = {}
    for number, (home, config, word) in enumerate(values):
        pool, out = f"p{number}", f"/tmp/out-{number}"
        site = Site(
            home=f"/srv/{home}",
            config_file=f"/etc/{config}",
            program=(os.path.realpath(sys.executable), DUMP, out, word),
            logs="/l",
            supervisor="/s",
            shutdown_timeout=60,
            kill_grace=10,
            account="root",
            database=f"/srv/{home}/{config}",
        )
        sites[pool] = site
        text = render(site, SYSTEM, [WorkerUnit(pool, 3)])[f"{UNITS}/queuectl-{pool}@.service"]
        text = text.replace("Type=notify", "Type=oneshot").replace("Restart=always", "Restart=no")
        shared.write(f"{UNITS}/queuectl-{pool}@.service", text)
        strict = render(site._replace(hardening="strict"), SYSTEM, [WorkerUnit(pool, 3)])
        shared.write(f"{UNITS}/queuectl-{pool}-strict@.service", strict[f"{UNITS}/queuectl-{pool}@.service"])
    units = [f"queuectl-{pool}@3.service" for pool in sites]
    shared.sh("rm -f /tmp/out-*; systemctl daemon-reload")
    shared.run("systemctl", "start", *units, merge=True)
    for (pool, site), unit in zip(sites.items(), units, strict=True):
        words = json.loads(shared.read(site.program[2]))
        assert words == list(command(site, WorkerUnit(pool, 3))[3:])
        mounts = shared.show(unit, "RequiresMountsFor")["RequiresMountsFor"]
        assert shown(shared, mounts) == {site.home, site.database, "/"}
        writable = shared.show(unit.replace("@", "-strict@"), "ReadWritePaths")["ReadWritePaths"]
        assert shown(shared, writable) == {site.home}
    shared.sh(f"rm {UNITS}/queuectl-p*; systemctl daemon-reload")


@given(st.lists(NAMES.filter(lambda name: name == name.strip() and not set(name) & set("*?[]\\")), max_size=10))
@example(["%h %%", "$HOME", "'\"'", "a;b #c", "-x", "ä 語"])
@settings(deadline=None, max_examples=8)
def test_systemd_finds_every_environment_file(shared: Machine, names: list[str]) -> None:
    from queuectl.services.systemd.escaping import path

    for number, name in enumerate(names):
        shared.write(f"/srv/env/{name}", f"FOUND=x{number}\n")
        text = f"[Service]\nType=oneshot\nEnvironmentFile={path(f'/srv/env/{name}', 'here')}\n"
        text += f"ExecStart=/bin/sh -c 'echo $FOUND > /tmp/env-{number}'\n"
        shared.write(f"{UNITS}/env-{number}.service", text)
    if names:
        shared.run("systemctl", "daemon-reload")
        shared.run("systemctl", "start", *(f"env-{number}.service" for number in range(len(names))), merge=True)
    last = {name: number for number, name in enumerate(names)}
    for number, name in enumerate(names):
        assert shared.read(f"/tmp/env-{number}") == f"x{last[name]}\n"
    shared.sh(f"rm -rf /srv/env /tmp/env-* {UNITS}/env-*; systemctl daemon-reload")
