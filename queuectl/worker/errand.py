"""A queuectl command that a worker has done by a child: what may take long, or is another version's to say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from queuectl.config.installation import Installation
from queuectl.worker.slots import Slots


class End(NamedTuple):
    """How an errand ended."""

    status: int
    """As of wait4; 0 = well."""
    said: str


class Errand:
    """The running command, by the same interpreter and program as the worker's own."""

    def __init__(self, place: Installation, slots: Slots, name: str, words: Sequence[str]) -> None:
        """Run `words` on the installation, as the errand `name`; `slots` reaps it. Raises OSError."""
        program = sys.orig_argv[1 : sys.orig_argv.index("worker")]
        config = ["--config", place.config_file] if place.explicit_config else []
        self._slots = slots
        self._said = os.memfd_create(f"queuectl-{name}")
        try:
            child = subprocess.Popen(
                [sys.executable, *program, *words, "--home", place.home, *config],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                start_new_session=True,
            )
        except OSError:
            os.close(self._said)
            raise
        child.returncode = 0  # reaped with all other children
        self._pid = child.pid
        slots.expect(child.pid)

    def end(self) -> End | None:
        """How it ended, once; None while it runs."""
        status = self._slots.exit_of(self._pid)
        if status is None:
            return None
        said = os.pread(self._said, 4096, 0).decode(errors="replace").strip()
        os.close(self._said)
        return End(status, said or f"it ended with status {status}")

    def kill(self) -> None:
        """End it; how it does is nobody's concern any more."""
        os.kill(self._pid, signal.SIGKILL)
        self._slots.disown(self._pid)
        os.close(self._said)
