"""The gateway to systemd: its own command line, which speaks for root, for a person, and for one who asks polkit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from queuectl.errors import ServiceError
from queuectl.services.systemd.scope import Scope

ANSWER = 60.0
"""Seconds. Nothing is asked that waits for a service to stop."""

_DENIED = ("authentication required", "access denied", "permission denied", "not permitted")
_NO_BUS = ("failed to connect to bus", "has not been booted with systemd", "failed to get d-bus connection")


def is_booted() -> bool:
    """Whether systemd runs this machine."""
    return os.path.isdir("/run/systemd/system")


class Systemctl:
    """One instance of systemd. All raise ServiceError where it refuses or isn't there."""

    def __init__(self, scope: Scope, home: str) -> None:
        """`home` is queuectl's, for what to do where root is needed."""
        self._scope = scope
        self._home = home

    def __call__(self, *words: str) -> str:
        """Run `systemctl WORDS…`; what it printed."""
        done = self._run("systemctl", words)
        if done.returncode != 0:
            raise self._refused("systemctl", words, done.stderr)
        return done.stdout

    def show(self, pattern: str, properties: Sequence[str]) -> list[Mapping[str, str]]:
        """The properties of the units that systemd has in memory and whose names are like `pattern`."""
        text = self("show", "--all", f"--property={','.join(properties)}", "--", pattern)
        blocks = [block.splitlines() for block in text.split("\n\n")]
        return [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks if block]

    def verify(self, paths: Sequence[str]) -> list[str]:
        """What `systemd-analyze verify` has to say of unit files; nothing, if all is well."""
        done = self._run("systemd-analyze", ("verify", "--man=no", "--", *paths))
        lines = (done.stdout + done.stderr).splitlines()
        if done.returncode != 0 and not lines:
            return [f"exit {done.returncode}"]
        # It loads what the units refer to, and complains of other people's units as well.
        names = {os.path.basename(path) for path in paths} | {os.path.basename(path).split("@")[0] for path in paths}
        mine = [line for line in lines if any(name in line for name in names)]
        return mine if mine or done.returncode == 0 else lines

    def journal(self, unit: str, lines: int, follow: bool) -> Iterator[str]:
        """The last `lines` lines of a unit's journal; with `follow` those to come, without end."""
        words = [*self._scoped("journalctl"), "--output=cat", "--no-pager", "--quiet", f"--lines={lines}"]
        which = "--user-unit" if self._scope.person else "--unit"
        # Of a person who may not read the journal, --user would hide that it isn't empty.
        argv = [word for word in words if word != "--user"] + [f"{which}={unit}", *(["--follow"] if follow else [])]
        try:
            with subprocess.Popen(argv, stdout=subprocess.PIPE, env=self._environment()) as process:
                try:
                    assert process.stdout is not None
                    for line in process.stdout:
                        yield line.decode("utf-8", "replace").removesuffix("\n")
                finally:
                    process.terminate()
        except FileNotFoundError as error:
            raise ServiceError("expected the program journalctl, and it isn't there") from error

    def _run(self, program: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        argv = [*self._scoped(program), *words]
        try:
            return subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=self._environment(),
                timeout=ANSWER,
                check=False,
            )
        except FileNotFoundError as error:
            raise ServiceError(
                f"expected the program {program}, and it isn't there: this machine has no systemd",
                hint="queuectl config set service.manager supervisord",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"expected an answer from {' '.join(argv)}, got none in {ANSWER:g} s") from error

    def _scoped(self, program: str) -> list[str]:
        return [program, *(["--user"] if self._scope.person else [])]

    def _environment(self) -> Mapping[str, str]:
        # In cron and after su there is none, though the person's systemd may well run.
        runtime = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"} if self._scope.person else {}
        return {**runtime, **os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}

    def _refused(self, program: str, words: Sequence[str], said: str) -> ServiceError:
        message = f"{program} {words[0]} refused: {said.strip() or 'it gave no reason'}"
        low = said.lower()
        no_bus = any(word in low for word in _NO_BUS)
        hint = None
        if no_bus and self._scope.person:
            hint = "loginctl enable-linger has a person's systemd run"
        elif no_bus and os.geteuid() == 0:
            hint = "is systemd PID 1 here?"
        elif no_bus or any(word in low for word in _DENIED):
            hint = f"it takes root: the same command with sudo in front, and --home {self._home}"
        elif "not found" in low or "not loaded" in low:
            hint = "its unit isn't installed: queuectl service install"
        return ServiceError(message, hint=hint)
