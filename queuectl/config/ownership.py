"""Whose a home is, and who may do what only its owner may."""

from __future__ import annotations

import os

from queuectl.errors import NotPermitted


def is_guest(home: str) -> bool:
    """Whether the home is somebody else's, who gives this process no more than a look.

    Not where it may be written all the same: on a file system that shows all files as one user's, say, and whoever can
    write it may do anything.
    """
    owner = _owner(home)
    return owner is not None and os.geteuid() not in (0, owner) and not os.access(home, os.W_OK, effective_ids=True)


def refuse_guest(home: str, what: str) -> None:
    """Let only the owner of the home, and root, go on to do `what`.

    Raises:
        NotPermitted: somebody else asks.
    """
    if not is_guest(home):
        return
    owner = login(_owner(home) or 0)
    hint = f"sudo -u {owner} queuectl …"
    if not os.access(home, os.X_OK, effective_ids=True):
        raise NotPermitted(f"{home}: is {owner}'s, and not open to {login(os.geteuid())}", hint=hint)
    raise NotPermitted(f"{home}: only {owner}, whose queue it is, and root may {what}", hint=hint)


def login(uid: int) -> str:
    """The login name of a user; the number where there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _owner(home: str) -> int | None:
    """None where there is no home, or none to be seen."""
    try:
        return os.stat(home).st_uid
    except OSError:
        return None
