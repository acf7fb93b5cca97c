"""`queuectl init`."""

from __future__ import annotations

import json
import os

import click

from queuectl.cli.command import command
from queuectl.cli.example import example
from queuectl.cli.session import Session, working_directory
from queuectl.config.installation import create, hand_over, refused
from queuectl.domain.sharing import file_mode

_EXAMPLES: dict[str, dict[str, object]] = {
    "simple_job.json": {"command": "echo hello"},
    "job_template.json": {
        "id": "nightly-report",
        "command": "echo report for $(date +%F)",
        "queue": "default",
        "priority": 5,
        "max_retries": 3,
        "timeout": "5m",
        "env": {"LANG": "C.UTF-8"},
        "tags": ["report"],
        "description": "All that is commonly set; only the command must be there",
    },
    "python_job.json": {"command": "python3 -c 'import sys; print(sys.version)'", "timeout": 30},
    "test_job.json": {"command": "echo it works", "max_retries": 0},
}


@command("init")
@click.option("--examples", is_flag=True, help="Write example jobs into the working directory, too.")
@click.pass_obj
def init(session: Session, examples: bool) -> None:
    """\b
    Examples:
      queuectl init
      queuectl init --examples && queuectl enqueue simple_job.json

    Write a queuectl.yaml in which each setting is explained. Nothing needs it: without one, built-in values count. What
    is there already is left as it is.
    """
    place = session.place
    session.refuse_guest("write its configuration")
    create(place)
    if not _write(session, place.config_file, example()):
        session.note("`queuectl config show --origin` says what is set where")
    if examples:
        for name, job in _EXAMPLES.items():
            _write(session, os.path.join(working_directory(), name), json.dumps(job, indent=2) + "\n")


def _write(session: Session, path: str, text: str) -> bool:
    """Write a file that isn't there yet."""
    private = path == session.place.config_file
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666)
    except FileExistsError:
        session.note(f"{path} is there already, and stays as it is")
        return False
    except OSError as error:
        raise refused(error, path) from None
    with open(fd, "w", encoding="utf-8") as file:
        if private:
            hand_over(fd, session.place)
            os.fchmod(fd, file_mode(os.stat(os.path.dirname(path)).st_mode))
        file.write(text)
    session.note(f"wrote {path}")
    return True
