"""What the database lies on: locks and memory maps must work there, and there must be room."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from queuectl.domain.durations import format_size
from queuectl.domain.findings import Finding, error, ok, warning

_NETWORK = re.compile(r"nfs4?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|ocfs2|gfs2|beegfs|vboxsf|fuse\.\w+|davfs|ncpfs")
_FLEETING = {
    "tmpfs": "it is memory: the next start of the machine empties it",
    "ramfs": "it is memory: the next start of the machine empties it",
    "overlay": "it is a container's layer: it goes with the container",
    "aufs": "it is a container's layer: it goes with the container",
}
_OCTAL = re.compile(r"\\([0-7]{3})")
_ELSEWHERE = "queuectl config set database sqlite:////PATH/ON/A/LOCAL/DISK/queue.db"


class Mount(NamedTuple):
    """A mounted file system."""

    point: str
    kind: str
    read_only: bool


def examine(directory: str, min_free: int) -> Iterator[Finding]:
    """The file system of `directory`, and the room on it; `min_free` in bytes."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mount = mount_of(os.path.realpath(directory), file.read())
    except OSError:
        mount = None
    if mount is not None:
        yield _kind(directory, mount)
    yield _room(directory, min_free)


def mount_of(path: str, mountinfo: str) -> Mount | None:
    """The mount that the real path `path` lies on, from the text of /proc/self/mountinfo."""
    best: Mount | None = None
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if not dash or len(fields) < 6 or len(kinds) < 3:
            continue
        point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])
        inside = point == "/" or path == point or path.startswith(point + "/")
        # Of two at one place the later one is seen.
        if inside and (best is None or len(point) >= len(best.point)):
            best = Mount(point, kinds[0], "ro" in fields[5].split(",") or "ro" in kinds[2].split(","))
    return best


def _kind(directory: str, mount: Mount) -> Finding:
    if mount.read_only:
        mend = f"mount -o remount,rw {mount.point}"
        return error("filesystem", directory, f"{mount.kind} on {mount.point} is mounted read-only", mend)
    if _NETWORK.fullmatch(mount.kind):
        found = f"{mount.kind} on {mount.point}: SQLite's log needs one machine's memory, and its locks may fail there"
        return error("filesystem", directory, found, _ELSEWHERE)
    if mount.kind in _FLEETING:
        return warning("filesystem", directory, f"{mount.kind} on {mount.point}: {_FLEETING[mount.kind]}", _ELSEWHERE)
    return ok("filesystem", directory, f"{mount.kind} on {mount.point}")


def _room(directory: str, min_free: int) -> Finding:
    try:
        found = os.statvfs(directory)
    except OSError as refused:
        return error("space", directory, f"can't be looked at: {(refused.strerror or '').lower()}")
    free, least = found.f_bavail * found.f_frsize, format_size(min_free)
    mend = f"df -h {directory}; or: queuectl config set min_free_space SIZE"
    if free < min_free:
        return error(
            "space", directory, f"{format_size(free)} free: below min_free_space, {least}, no job starts", mend
        )
    if free < 4 * min_free:
        return warning("space", directory, f"{format_size(free)} free: below {least} no job starts", mend)
    if found.f_files and found.f_favail < 1000:
        return warning("space", directory, f"only {found.f_favail} more files can be made", f"df -i {directory}")
    return ok("space", directory, f"{format_size(free)} free")
