"""A home and several users of this machine: they are in a list of users that only the processes of a test see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from real_home import QUEUECTL, Said

GROUP = "qteam"
GID = 61010
USERS = {"qowner": 61001, "alice": 61002, "bob": 61003, "mallory": 61004}
MEMBERS = ("qowner", "alice", "bob")
NEEDED = tuple(dict.fromkeys((sys.base_prefix, sys.prefix, str(Path(__file__).parents[2]))))
"""What one must reach to run queuectl: the Python, its environment, and the checkout."""
_ENTER = """
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""


def _unlocked(path: str) -> str | None:
    """The first directory above `path` that not everybody may enter."""
    for above in reversed(Path(path).parents):
        if not above.stat().st_mode & 0o001:
            return str(above)
    return None


def _opening() -> str:
    """A script that shows in the place of such a directory one with nothing in it but what is needed."""
    locked = {path: _unlocked(path) for path in NEEDED}
    script = "(umask 022\n"
    for closed in dict.fromkeys(above for above in locked.values() if above):
        kept = [path for path in NEEDED if locked[path] == closed]
        for number, path in enumerate(kept):
            script += f'mkdir -p "$1/kept{number}"; mount --bind {path} "$1/kept{number}"\n'
        script += f"mount -t tmpfs -o mode=755 none {closed}\n"
        for number, path in enumerate(kept):
            script += f'mkdir -p {path}; mount --bind "$1/kept{number}" {path}; umount "$1/kept{number}"\n'
    return script + "true)\n"


class GroupHome:
    """The home of `qowner`, and what each of the users does with it."""

    def __init__(self) -> None:
        self.above = tempfile.mkdtemp(prefix="qg-", dir="/tmp")
        os.chmod(self.above, 0o755)
        self.path = f"{self.above}/home"
        self.members = list(MEMBERS)
        self.write_users()
        os.mkdir(self.path, 0o700)
        os.chown(self.path, USERS["qowner"], USERS["qowner"])

    def write_users(self) -> None:
        """Write the lists that the commands of the users see."""
        with open(f"{self.above}/passwd", "w") as file:
            file.write("root:x:0:0::/root:/bin/sh\n")
            file.writelines(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n" for name, uid in USERS.items())
        with open(f"{self.above}/group", "w") as file:
            file.write(f"root:x:0:\n{GROUP}:x:{GID}:{','.join(self.members)}\n")
            file.writelines(f"{name}:x:{uid}:\n" for name, uid in USERS.items())

    def leave_group(self, name: str) -> None:
        """Take a user out of the group."""
        self.members.remove(name)
        self.write_users()

    def command(self, user: str, *words: str) -> list[str]:
        """The argv that runs `words` as that user of this machine."""
        enter = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _ENTER.replace("shift\n", f"{_opening()}shift\n"),
            "sh",
            self.above,
        ]
        if user == "root":
            return [*enter, *words]
        uid = str(USERS[user])
        groups = f"{uid},{GID}" if user in self.members else uid
        return [*enter, "setpriv", "--reuid", uid, "--regid", uid, "--groups", groups, *words]

    def environment(self, **more: str) -> dict[str, str]:
        kept = ("PATH", "LANG", "LC_ALL")
        outside = {name: value for name, value in os.environ.items() if name in kept}
        return {**outside, "HOME": "/nonexistent", "QUEUECTL_HOME": self.path, **more}

    def run(self, user: str, *words: str, code: int | None = 0, umask: int = 0o022, **env: str) -> Said:
        """Run a program as that user."""
        done = subprocess.run(
            self.command(user, *words),
            env=self.environment(**env),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=90,
            umask=umask,
            stdin=subprocess.DEVNULL,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.err, said.err
        assert "internal error" not in said.err, said.err
        assert code is None or said.code == code, (user, words, said)
        return said

    def cli(self, user: str, *words: str, code: int | None = 0, umask: int = 0o022, **env: str) -> Said:
        """Run queuectl as that user."""
        return self.run(user, QUEUECTL, *words, code=code, umask=umask, **env)

    def python(self, user: str, program: str) -> Said:
        """Run a program of the library as that user."""
        return self.run(user, sys.executable, "-c", program)

    def share(self) -> None:
        """Open it to the group, with a queue in it, and leave no worker behind."""
        self.cli("qowner", "config", "set", "share_with", GROUP)
        self.cli("qowner", "worker", "run", "--drain")

    def close(self) -> None:
        if os.path.exists(f"{self.path}/supervisor/supervisord.conf"):
            self.cli("root", "worker", "stop", "--force", code=None)
        shutil.rmtree(self.above, ignore_errors=True)
