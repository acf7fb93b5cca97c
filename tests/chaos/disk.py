"""The disk that a run's home lies on: an ext4 in a file, which can be full, turn read-only, and be repaired."""

from __future__ import annotations

import os
import shutil
import subprocess

_SIZE = 8 * 2**30
"""Bytes, of which only those take room that are written: nothing is forgotten in a run, and an hour has many jobs."""


def _image(run: str) -> str:
    return os.path.join(run, "disk")


def _home(run: str) -> str:
    return os.path.join(run, "home")


def can_have_disk() -> bool:
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control") and shutil.which("mkfs.ext4") is not None


def make_disk(run: str) -> None:
    with open(_image(run), "wb") as file:
        file.truncate(_SIZE)
    # Nothing of it is kept for root: full is full.
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", _image(run)], check=True)


def has_disk(run: str) -> bool:
    return os.path.exists(_image(run))


def mount_disk(run: str) -> None:
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", _image(run), _home(run)], check=True)
    # It would look like something that queuectl left.
    lost = os.path.join(_home(run), "lost+found")
    if os.path.exists(lost):
        os.rmdir(lost)


def break_disk(run: str) -> bool:
    """Have the kernel find an error in the file system, which makes it read-only; False where there is no disk."""
    if not has_disk(run):
        return False
    device = os.stat(_home(run)).st_dev
    name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
    with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w") as file:
        file.write("broken by the test")
    return True


def unmount_disk(run: str) -> bool:
    """False while somebody uses it."""
    return subprocess.run(["umount", _home(run)], stderr=subprocess.DEVNULL).returncode == 0


def check_disk(run: str) -> None:
    """What a boot does. Raises CalledProcessError: it is beyond repair."""
    done = subprocess.run(["e2fsck", "-fy", _image(run)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode > 1:  # 1: errors were mended
        raise subprocess.CalledProcessError(done.returncode, "e2fsck", done.stdout)
