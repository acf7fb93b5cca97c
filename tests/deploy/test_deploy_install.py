"""deploy/install.sh on a machine with a real systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from deployed import PYTHON, QUEUE, SOURCE, changed, copy_checkout, files, install
from machine import UNITS, Machine, booted

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a throw-away systemd"),
    pytest.mark.skipif(not os.path.exists("/lib/systemd/systemd"), reason="no systemd on this machine"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as made:
        copy_checkout(made)
        yield made


@pytest.fixture(autouse=True)
def bare_again(machine: Machine) -> Iterator[None]:
    yield
    machine.sh("rm -rf /opt/queuectl /usr/local/bin/queuectl /etc/queuectl")


def test_there_and_back(machine: Machine) -> None:
    before = files(machine)

    said = install(machine, "--python", PYTHON, "--dry-run")
    assert said.splitlines()
    assert all(line.startswith("would ") for line in said.splitlines())
    assert changed(before, files(machine)) == []
    assert machine.code("id", "queuectl") == 1

    install(machine, "--python", PYTHON)
    assert machine.run("systemctl", "is-enabled", "queuectl.target").strip() == "enabled"
    for number in (0, 1):
        shown = machine.show(f"queuectl-default@{number}.service", "ActiveState", "User")
        assert shown == {"ActiveState": "active", "User": "queuectl"}
    for unit in ("queuectl-default@.service", "queuectl.target", "queuectl.slice"):
        assert machine.read(f"{UNITS}/{unit}") == machine.read(f"{SOURCE}/deploy/systemd/{unit}")
    job = machine.run("/usr/local/bin/queuectl", "enqueue", "--", "id", "-un").strip()
    machine.run("/usr/local/bin/queuectl", "wait", job, "--timeout", "30s")
    assert machine.run("/usr/local/bin/queuectl", "logs", job) == "queuectl\n"
    assert machine.code("test", "-s", "/usr/local/share/man/man1/queuectl-worker.1") == 0

    installed = files(machine)
    touched = f"find /opt/queuectl {UNITS} /usr/local /etc/queuectl -printf '%p %T@\\n' | sort"
    pids = "systemctl show 'queuectl-default@*' --property=MainPID"
    then = machine.sh(touched), machine.sh(pids)
    assert install(machine, "--python", PYTHON) == "all is installed already: nothing changed\n"
    assert changed(installed, files(machine)) == []
    assert (machine.sh(touched), machine.sh(pids)) == then

    machine.run("systemctl", "stop", "queuectl-default@1")
    assert install(machine, "--python", PYTHON) == "start the workers\n"
    assert machine.show("queuectl-default@1.service", "ActiveState") == {"ActiveState": "active"}

    # What an admin changed is hers.
    machine.sh("echo '# mine' >> /etc/queuectl/queuectl.yaml; echo '# mine' >> /etc/tmpfiles.d/queuectl.conf")
    assert "/etc/tmpfiles.d/queuectl.conf is not as it was written" in install(machine, "--python", PYTHON)
    assert machine.read("/etc/queuectl/queuectl.yaml").endswith("# mine\n")

    said = install(machine, "--uninstall", "--dry-run")
    assert changed(installed, files(machine)) == ["/etc/tmpfiles.d/queuectl.conf"]
    assert "would remove /opt/queuectl" in said

    assert "/etc/tmpfiles.d/queuectl.conf was changed by hand: it stays" in install(machine, "--uninstall")
    assert changed(before, files(machine)) == ["/etc/tmpfiles.d/queuectl.conf"]
    assert machine.sh("pgrep -u queuectl || true") == ""
    machine.sh(
        "rm /etc/tmpfiles.d/queuectl.conf; test -s /var/lib/queuectl/queue.db; test -s /etc/queuectl/queuectl.yaml"
    )

    install(machine, "--uninstall", "--purge")
    assert changed(before, files(machine)) == []
    for path in QUEUE:
        assert machine.code("test", "-e", path) == 1
    assert install(machine, "--uninstall", "--purge").startswith("nothing is installed\n")


def test_what_is_somebody_elses_is_refused(machine: Machine) -> None:
    machine.sh("mkdir -p /opt/queuectl; echo precious > /opt/queuectl/thing")
    before = files(machine)
    assert "/opt/queuectl is not from here" in install(machine, "--python", PYTHON, code=1)
    assert "/opt/queuectl is not from here" in install(machine, "--uninstall")
    assert "nothing was done" in install(machine, "--uninstall", "--purge", code=1)
    assert changed(before, files(machine)) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--python", "/bin/false"], 1, "Python 3.10 or newer"),
        (["--manager", "upstart"], 2, "expected systemd or supervisord"),
        (["--manager", "supervisord", "--python", PYTHON], 1, "apt-get install supervisor"),
        (["--purge"], 2, "goes with --uninstall"),
        (["/etc", "--python", PYTHON], 1, "expected a checkout of queuectl"),
        (["--bad"], 2, "Usage:"),
        (["--manager"], 2, "Usage:"),
    ],
)
def test_what_it_cannot_do_it_says_before_it_begins(machine: Machine, words: list[str], code: int, said: str) -> None:
    before = files(machine)
    assert said in install(machine, *words, code=code)
    assert changed(before, files(machine)) == []
