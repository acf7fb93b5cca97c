"""`queuectl demo`: the whole of it on a home of its own, with a real supervisord, in a few seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import NamedTuple

import click

from queuectl.cli.command import command
from queuectl.errors import QueuectlError


class _Scene(NamedTuple):
    """A job, and what it is to show."""

    id: str
    title: str
    job: dict[str, object]
    state: str
    attempts: int


_SCENES = (
    _Scene("hello", "a command that succeeds", {"command": "echo hello from $QUEUECTL_JOB_ID"}, "completed", 1),
    _Scene(
        "flaky",
        "one that fails at first, and is retried with backoff",
        {"command": 'echo try $QUEUECTL_ATTEMPT; test "$QUEUECTL_ATTEMPT" -ge 2', "max_retries": 3},
        "completed",
        2,
    ),
    _Scene(
        "broken",
        "one that fails for good: retried, then dead-lettered",
        {"command": "echo no such luck >&2; exit 3", "max_retries": 1},
        "dead",
        2,
    ),
    _Scene(
        "stuck",
        "one that takes too long: ended with all that it started",
        {"command": "sleep 60 & sleep 60", "timeout": 1, "max_retries": 0},
        "dead",
        1,
    ),
    _Scene(
        "urgent", "one with priority: it starts before all others", {"command": "true", "priority": 10}, "completed", 1
    ),
)


@command()
def demo() -> None:
    """\b
    Examples:
      queuectl demo

    Show it all at work: success, retry, DLQ, timeout, priority. It makes a home of its own below the system's
    temporary directory, runs real workers under a real supervisord there, and leaves nothing behind. Takes about five
    seconds.
    """
    home = tempfile.mkdtemp(prefix="queuectl-demo-")
    stage = _Stage(home)
    try:
        _play(stage)
    finally:
        stage.clear()
    click.echo("\nAll as it should be. The workers and their supervisord have ended, and the demo's home is gone.")


def _play(stage: _Stage) -> None:
    stage.say(f"A queue of its own, in {stage.home}")
    for scene in _SCENES:
        stage.say(scene.title.capitalize())
        stage.show("enqueue", json.dumps({"id": scene.id, **scene.job}))
    stage.say("A worker, as a service process under supervisord")
    stage.show("worker", "start")
    stage.say(f"supervisord runs with PID {stage.supervisord()}")
    stage.show("worker", "status")
    stage.say("Waiting for the jobs to end")
    stage.quietly("wait", *(scene.id for scene in _SCENES), "--timeout", "60")
    stage.show("list")
    stage.show("logs", "flaky")
    stage.say("The dead letter queue, and a way out of it")
    stage.show("dlq", "list")
    stage.show("dlq", "retry", "broken", "--keep-attempts")
    stage.quietly("wait", "broken", "--timeout", "60")
    stage.show("status")
    for scene in _SCENES:
        _check(
            scene, json.loads(stage.quietly("show", scene.id, "--json")), json.loads(stage.quietly("list", "--json"))
        )
    stage.say("And the end: workers finish what they run, then stop")
    stage.show("worker", "stop")


def _check(scene: _Scene, job: dict[str, object], jobs: list[dict[str, object]]) -> None:
    """A demo that went wrong must not look well."""
    # `broken` was retried once more by hand.
    attempts = scene.attempts + (scene.id == "broken")
    if (job["state"], job["attempts"]) != (scene.state, attempts):
        raise QueuectlError(
            f"demo: expected job {scene.id} to be {scene.state} after {attempts} attempts, "
            f"got {job['state']} after {job['attempts']}"
        )
    if scene.id == "urgent" and any(str(other["started_at"]) < str(job["started_at"]) for other in jobs):
        raise QueuectlError("demo: expected the urgent job to start first, but another one did")


class _Stage:
    """Runs queuectl in the demo's home, as a person would."""

    def __init__(self, home: str) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        # A second between the tries instead of 2, 4, 8: nobody wants to watch a backoff.
        self._environment = {
            **kept,
            "QUEUECTL_HOME": home,
            "QUEUECTL_BACKOFF_BASE": "1",
            "QUEUECTL_BACKOFF_JITTER": "0",
        }

    def say(self, text: str) -> None:
        click.secho(f"\n# {text}", bold=True)

    def show(self, *words: str) -> None:
        """Run a command and let its output be seen."""
        click.echo(f"$ queuectl {' '.join(_quoted(word) for word in words)}")
        sys.stdout.flush()
        done = self._run(words, capture=False)
        if done.returncode != 0:
            raise QueuectlError(f"demo: `queuectl {' '.join(words)}` ended with {done.returncode}")

    def quietly(self, *words: str) -> str:
        """Run a command for what it prints; its exit code may be a job's."""
        return self._run(words, capture=True).stdout or ""

    def _run(self, words: tuple[str, ...], *, capture: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "queuectl", *words],
            # Not in the person's directory: python -m looks for modules there first.
            cwd=self.home,
            env=self._environment,
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )

    def supervisord(self) -> int:
        """The pid of the demo's supervisord."""
        with open(os.path.join(self.home, "supervisor", "supervisord.pid")) as file:
            return int(file.read())

    def clear(self) -> None:
        """End all that the demo started, also where it was interrupted, and remove its home."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._run(("worker", "stop", "--force", "--quiet"), capture=True)
            shutil.rmtree(self.home)
        finally:
            signal.signal(signal.SIGINT, before)


def _quoted(word: str) -> str:
    import shlex

    return f"'{word}'" if word.startswith("{") and "'" not in word else shlex.quote(word)
