"""Who this process acts for."""

from __future__ import annotations

import os

from queuectl.domain.actor import through_sudo

_LONGEST = 64


def current_actor(owner: int) -> str:
    """The login name of the process's real user, or `uid:1234`; `owner` is the uid that the queue belongs to.

    sudo says in a variable who used it. It counts where the process is root's or the owner's, who may do anything
    here: others could say any name. A job has the variables of its worker, so there it says who started that.
    """
    uid = os.getuid()
    name = _login(uid)
    person = os.environ.get("SUDO_USER", "")
    if uid not in (0, owner) or "QUEUECTL_JOB_ID" in os.environ or person == name:
        return name
    return through_sudo(person, name) if person and person.isprintable() and len(person) <= _LONGEST else name


def _login(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
