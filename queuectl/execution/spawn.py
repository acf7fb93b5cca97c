"""Starting the main process of an attempt."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Mapping

from queuectl.domain.job import Spec
from queuectl.execution.mark import Mark, branded
from queuectl.execution.oom import expendable

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""The exit codes that a shell gives for a program that it can't run, or can't find."""
SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC})
"""What is short here isn't the job's fault."""


class CannotRun(Exception):
    """The command is one that can't be run here: an ordinary failure of the attempt."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoRoom(Exception):
    """The host has no process, memory or descriptor left: nothing that the job did."""


def spawn(spec: Spec, mark: Mark, environment: Mapping[bytes, bytes], output: int) -> int:
    """Start the command in a session of its own, with stdout and stderr to the descriptor `output`; returns the pid.

    On the vfork path of subprocess: `preexec_fn` or `user=` would make it a fork, which takes 12 ms of a worker with
    300 MB. Signals that Python ignores are at their defaults in the child.

    Raises:
        CannotRun, NoRoom: nothing was started.
    """
    argv = spec.argv or ("/bin/sh", "-c", spec.command)
    stdin = subprocess.DEVNULL
    try:
        if spec.stdin is not None:
            stdin = _filled(spec.stdin)
        with branded(mark), expendable():
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=spec.cwd,
                env=environment,
                start_new_session=True,
                umask=0o022,
            )
    except (OSError, ValueError) as error:
        raise _reason(error, spec, argv[0]) from None
    finally:
        if stdin != subprocess.DEVNULL:
            os.close(stdin)
    # The worker reaps by itself: tell Popen, who would warn of a process left behind.
    process.returncode = 0
    return process.pid


def _filled(text: str) -> int:
    # Memory, not a pipe: nobody has to feed it, and a job that doesn't read it blocks nobody.
    fd = os.memfd_create("stdin")
    try:
        with os.fdopen(fd, "wb", closefd=False) as file:
            file.write(text.encode())
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _reason(error: OSError | ValueError, spec: Spec, program: str) -> CannotRun | NoRoom:
    if isinstance(error, ValueError):
        return CannotRun(NOT_EXECUTABLE, str(error))
    if error.errno in SHORTAGES:
        return NoRoom(f"can't start a process: {error.strerror}")
    if error.filename == spec.cwd != program:
        return CannotRun(NOT_EXECUTABLE, f"{spec.cwd}: the working directory: {error.strerror}")
    if error.errno == errno.ENOENT:
        return CannotRun(NOT_FOUND, f"{program}: no such program")
    return CannotRun(NOT_EXECUTABLE, f"{program}: {error.strerror}")


def how_it_ended(status: int) -> tuple[int | None, int | None, str | None]:
    """Exit code, signal and a line for people, of a status that wait4 gave; the line is None after exit 0."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return None, number, f"killed by {name}"
    code = os.WEXITSTATUS(status)
    return code, None, f"exit {code}" if code else None
