"""What the kernel, or whoever set its limits here, lets a worker do."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator

from inotify_simple import INotify

from queuectl.domain.findings import Finding, error, ok, warning
from queuectl.domain.settings import Settings
from queuectl.execution import tree
from queuectl.execution.libc import become_subreaper

_INSTANCES = "/proc/sys/fs/inotify/max_user_instances"
_SPARE = 16
"""Instances of inotify that others of the same user may want."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Marks, adoption, the list of children, watches."""
    yield rttime("this shell", resource.getrlimit(resource.RLIMIT_RTTIME)[1])
    yield _children()
    yield _watches(sum(pool.workers for pool in settings.pools.values()))


def rttime(whose: str, hard: int) -> Finding:
    """Whether the limit is free by which the processes of an attempt are known; see execution/mark.py."""
    if hard == resource.RLIM_INFINITY:
        return ok("limits.rttime", whose, "unlimited: the processes of jobs can be marked")
    return error(
        "limits.rttime",
        whose,
        f"expected no hard limit, got {hard} µs: a job's process that wipes its environment can't be found",
        "raise it where it is set: /etc/security/limits.conf (rttime), or LimitRTTIME=infinity of the unit",
    )


def _children() -> Finding:
    looked_at = f"/proc/self/task/{os.getpid()}/children"
    try:
        tree.children()
        # Of this process alone, which ends soon; there is no way to only ask.
        become_subreaper()
    except OSError as refused:
        found = f"expected to list and adopt children, got: {refused.strerror}"
        return error("kernel.children", looked_at, found, "a Linux with /proc mounted, 4.2 or later, is needed")
    return ok("kernel.children", looked_at, "what jobs leave behind can be found")


def _watches(wanted: int) -> Finding:
    raise_it = f"sysctl -w fs.inotify.max_user_instances={max(512, wanted + _SPARE)}"
    try:
        with INotify() as watch:
            watch.add_watch(os.sep, 0x2)  # IN_MODIFY
    except OSError as refused:
        used_up = refused.errno in (errno.EMFILE, errno.ENOSPC)
        found = f"no further watch to be had: {refused.strerror}; a worker can't start"
        return error("limits.inotify", _INSTANCES, found, raise_it if used_up else None)
    try:
        with open(_INSTANCES, encoding="ascii") as file:
            most = int(file.read())
    except (OSError, ValueError):
        return ok("limits.inotify", _INSTANCES, "can be used; what the limit is can't be told")
    if most < wanted + _SPARE:
        return warning("limits.inotify", _INSTANCES, f"{most} a user, and {wanted} workers want one each", raise_it)
    return ok("limits.inotify", _INSTANCES, f"{most} a user")
