"""What the tests of an installation share: a throw-away machine, and what lies on it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bare_root import pip_environment
from machine import Machine

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SOURCE = "/tmp/checkout"
SCRIPT = f"{SOURCE}/deploy/install.sh"
PYTHON = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
QUEUE = ("/etc/queuectl", "/var/lib/queuectl")

_LISTING = r"""
find /etc /etc/systemd/system /home /opt /srv /usr/bin /usr/local /usr/sbin /var -xdev \
    \( -path /etc/queuectl -o -path /var/lib/queuectl -o -path /var/tmp -o -path /var/log/journal \) -prune -o \
    -printf '%p\t%y %m %U:%G %s %l\n'
find / /root -maxdepth 3 -xdev -path /root\* -printf '%p\t%y %m %U:%G %s %l\n'
"""
"""Where an installation could leave something; not in the directories of millions of files of somebody's tools."""

# Those of the user, who stays.
_EXCEPTED = {f"/etc/{name}{end}" for name in ("passwd", "shadow", "group", "gshadow") for end in ("", "-")}
_EXCEPTED |= {"/etc/.pwd.lock", "/etc/subuid", "/etc/subuid-", "/etc/subgid", "/etc/subgid-"}


def copy_checkout(machine: Machine) -> None:
    """The source as it is now: while the test runs, somebody may go on writing."""
    names = ("deploy", "pyproject.toml", "README.md", "LICENSE", "queuectl")
    machine.sh(f"rm -rf {SOURCE}; mkdir {SOURCE}; cd {REPOSITORY}; cp -r {' '.join(names)} {SOURCE}")


def install(machine: Machine, *words: str, code: int = 0) -> str:
    """Run install.sh; all that it said."""
    return machine.run("bash", SCRIPT, *words, code=code, merge=True, timeout=300, **pip_environment())


def files(machine: Machine) -> dict[str, str]:
    """Whatever lies on the machine, the queue and the user's files aside: its kind, mode, owner, size, and target."""
    lines = [line.split("\t", 1) for line in machine.sh(_LISTING, timeout=120).splitlines()]
    # The size of a directory grows, and never shrinks.
    return {
        path: fact if fact[0] != "d" else " ".join(fact.split()[:3]) for path, fact in lines if path not in _EXCEPTED
    }


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
