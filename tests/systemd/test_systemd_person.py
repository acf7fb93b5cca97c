"""The systemd of a person: no root, `systemctl --user`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from machine import QUEUECTL, Machine

PERSON, PLACE = "somebody", "/home/somebody"


class Person:
    """Commands as that person, whose systemd runs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.uid = machine.run("id", "-u", PERSON).strip()

    def run(self, *argv: str, code: int | None = 0, merge: bool = False) -> str:
        who = ["setpriv", "--reuid", PERSON, "--regid", PERSON, "--init-groups"]
        return self.machine.run(
            *who, *argv, code=code, merge=merge, HOME=PLACE, XDG_RUNTIME_DIR=f"/run/user/{self.uid}"
        )

    def queuectl(self, *words: str, code: int | None = 0, merge: bool = False) -> str:
        return self.run(QUEUECTL, *words, code=code, merge=merge)


@pytest.fixture
def person(shared: Machine) -> Iterator[Person]:
    shared.sh(f"id {PERSON} 2> /dev/null || useradd --create-home {PERSON}; chmod 755 {PLACE}")
    uid = shared.run("id", "-u", PERSON).strip()
    shared.sh(f"install -d -m 700 -o {PERSON} /run/user/{uid}")
    shared.run(
        *("systemd-run", "--unit=person", "--property=Type=notify", f"--property=User={PERSON}"),
        *("--property=Delegate=yes", f"--setenv=XDG_RUNTIME_DIR=/run/user/{uid}", f"--setenv=HOME={PLACE}"),
        *("/lib/systemd/systemd", "--user"),
        merge=True,
    )
    yield Person(shared)
    shared.sh(f"systemctl stop person; rm -rf {PLACE}/.queuectl {PLACE}/.config /run/user/{uid}")


def test_a_person_has_workers_of_their_own(person: Person) -> None:
    machine = person.machine
    machine.write(f"{PLACE}/.queuectl/queuectl.yaml", "service: {manager: systemd}\npools: {default: {workers: 2}}\n")
    machine.sh(f"chown -R {PERSON}: {PLACE}/.queuectl")
    listing = f"find {PLACE} -not -path '{PLACE}/.queuectl/*' | sort"
    before = machine.sh(listing)
    done = json.loads(person.queuectl("service", "install", "--json"))
    assert (done["manager"], done["started"]) == ("systemd --user", ["default-0", "default-1"])
    # Without XDG_RUNTIME_DIR, as in cron, it is found all the same.
    status = json.loads(person.run("env", "-u", "XDG_RUNTIME_DIR", QUEUECTL, "worker", "status", "--json"))
    assert {each["state"] for each in status} == {"running"}
    pids = {each["pid"] for each in status}
    text = person.run("systemctl", "--user", "show", "queuectl-default@*.service", "--property=MainPID")
    assert {int(line.removeprefix("MainPID=")) for line in text.split()} == pids
    job = person.queuectl("enqueue", "--", "id", "-un").strip()
    person.queuectl("wait", job)
    assert person.queuectl("logs", job) == f"{PERSON}\n"
    person.queuectl("worker", "scale", "default", "1")
    assert person.queuectl("service", "diff") == ""
    person.queuectl("worker", "stop")
    person.queuectl("service", "uninstall")
    assert machine.sh(listing) == before
    assert person.run("systemctl", "--user", "list-units", "--all", "--no-legend", "queuectl*").strip() == ""


def test_what_only_the_system_can_do_is_refused(person: Person) -> None:
    machine = person.machine
    machine.write(f"{PLACE}/.queuectl/queuectl.yaml", "service: {manager: systemd, hardening: strict}\n")
    machine.sh(f"chown -R {PERSON}: {PLACE}/.queuectl")
    said = person.queuectl("service", "install", code=78, merge=True)
    assert "hardening: expected compatible in the systemd of a person, got strict" in said
