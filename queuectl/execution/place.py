"""Where the outputs of attempts lie: `output/ID/N` in the home, and, while they are short, a worker's spool."""

from __future__ import annotations

import os
import shutil

from queuectl.domain.sharing import SHARED, directory_mode, file_mode, is_shared

SPOOL = "+"
"""What the names of spools begin with: no job's id can hold it."""


def output_directory(outputs: str, job_id: str) -> str:
    """The directory of a job's outputs; ids were checked at the door to be plain names."""
    return os.path.join(outputs, job_id)


def make_directory(path: str) -> None:
    """Make a directory of outputs, if need be, as open as the one that it is in. Raises OSError."""
    try:
        mode = directory_mode(os.stat(os.path.dirname(path)).st_mode)
    except FileNotFoundError:
        mode = 0o700
    os.makedirs(path, mode, exist_ok=True)
    if mode != 0o700 and not is_shared(os.stat(path).st_mode):  # by the umask
        os.chmod(path, SHARED)


def mode_in(directory: str) -> int:
    """The permissions of an output in that directory. Raises OSError."""
    return file_mode(os.stat(directory).st_mode)


def output_path(outputs: str, job_id: str, number: int) -> str:
    """The file of attempt `number` of the job. A short output has none: the database has all of it."""
    return os.path.join(outputs, job_id, str(number))


def spool_directory(outputs: str, worker_uuid: str) -> str:
    """Where a worker's slots write."""
    return os.path.join(outputs, f"{SPOOL}{worker_uuid}")


def spool_path(outputs: str, worker_uuid: str, slot: int) -> str:
    """The file that whatever runs in the slot writes at first."""
    return os.path.join(spool_directory(outputs, worker_uuid), str(slot))


def forget_outputs(outputs: str, job_id: str) -> None:
    """Remove all outputs of the job; there may be none."""
    shutil.rmtree(output_directory(outputs, job_id), ignore_errors=True)


def forget_spool(outputs: str, worker_uuid: str) -> None:
    """Remove a spool that nobody writes any more."""
    shutil.rmtree(spool_directory(outputs, worker_uuid), ignore_errors=True)
