"""The table of commands: what each does in a line, and where it is.

The help of `queuectl` is made of this table alone, so that it imports no command.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command that isn't imported yet."""

    place: str
    """`module:attribute`, below queuectl.cli."""
    line: str
    """What it does, in a line."""


COMMANDS: dict[str, Entry] = {
    "enqueue": Entry("enqueue:enqueue", "Queue a command, or a file of them."),
    "list": Entry("jobs:list_jobs", "List jobs, the newest first."),
    "show": Entry("show:show", "Show all that is known of a job."),
    "logs": Entry("logs:logs", "Print what a job wrote, or follow it."),
    "wait": Entry("wait:wait", "Wait until jobs have ended, and exit as they did."),
    "status": Entry("status:status", "Show how many jobs there are, and who works on them."),
    "cancel": Entry("change:cancel", "Cancel jobs, also while they run."),
    "hold": Entry("change:hold", "Keep jobs from running, until they are released."),
    "release": Entry("change:release", "Let held jobs go."),
    "retry": Entry("change:retry", "Run jobs again that have ended."),
    "remove": Entry("remove:remove", "Forget jobs and what they wrote."),
    "worker": Entry("worker:worker", "Start, stop and watch the workers that run jobs."),
    "service": Entry("service:service", "Have systemd, or the system's supervisord, run the workers."),
    "dlq": Entry("dlq:dlq", "Look after dead jobs: those whose retries are used up."),
    "audit": Entry("audit:audit", "Show who did what."),
    "config": Entry("config:config", "Show and change the settings."),
    "db": Entry("db:db", "Check, back up, restore and shrink the database."),
    "doctor": Entry("doctor:doctor", "Look whether all is well, and say what to do."),
    "import": Entry("importing:import_jobs", "Take over the jobs.json of the former queuectl."),
    "init": Entry("init:init", "Write a commented queuectl.yaml, and example jobs."),
    "demo": Entry("demo:demo", "Show what queuectl does, in a home of its own."),
    "completion": Entry("completion:completion", "Print the completion script of a shell."),
    "version": Entry("version:version", "Print the version."),
}
