"""Which host, which boot, which process: names that are never given twice."""

from __future__ import annotations

import os
import socket


def boot_id() -> str:
    """The kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def host_id() -> str:
    """The machine, and the pid namespace in which its pids mean something: `web1/1f0c…/4026531836`."""
    try:
        with open("/etc/machine-id") as file:
            machine = file.read().strip()
    except OSError:
        machine = ""
    return f"{socket.gethostname()}/{machine[:12]}/{os.stat('/proc/self/ns/pid').st_ino}"


class Stat:
    """What /proc/PID/stat says of a process, as far as it matters here."""

    __slots__ = ("parent", "starttime", "state")

    def __init__(self, text: bytes) -> None:
        # The name in brackets may hold anything, brackets too: what follows the last one is plain.
        fields = text[text.rindex(b")") + 2 :].split()
        self.state = fields[0].decode()
        self.parent = int(fields[1])
        self.starttime = int(fields[19])
        """Ticks since boot. Not psutil's create_time: that adds the boot time, which moves with the clock."""

    @property
    def dead(self) -> bool:
        """A zombie runs no more, though it may stay for seconds until somebody reaps it."""
        return self.state in ("Z", "X")


def stat_of(pid: int) -> Stat | None:
    """The process, or None where there is none, or none that one may see (a /proc with hidepid)."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return Stat(file.read())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
