"""Whose systemd: the system's, or that of a person."""

from __future__ import annotations

import os
from typing import NamedTuple

PERSON = "systemd --user"


class Scope(NamedTuple):
    """One instance of systemd."""

    person: bool
    """`systemctl --user`."""
    directory: str
    """Where its administrator's units lie."""
    boot: str
    """The target that starts by itself."""

    @property
    def kind(self) -> str:
        return PERSON if self.person else "systemd"


SYSTEM = Scope(False, "/etc/systemd/system", "multi-user.target")


def of_person(home: str) -> Scope:
    """The systemd of the person who asks, whose home directory is `home`."""
    config = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return Scope(True, f"{config}/systemd/user", "default.target")
