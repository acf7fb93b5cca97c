#!/usr/bin/env python3
"""Write what is made from queuectl itself: units, completions, man pages.

.venv/bin/python deploy/generate.py             # writes them anew; tests/deploy says when they are out of date
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from manpages import pages

from queuectl.cli.main import root
from queuectl.config.installation import SYSTEM_HOME, Installation
from queuectl.config.layers import load
from queuectl.pools.choice import described, site
from queuectl.services.supervisord.shared import SharedSupervisord
from queuectl.services.systemd import rendering
from queuectl.services.systemd.scope import SYSTEM

HERE = Path(__file__).resolve().parent
PROGRAM = ("/opt/queuectl/bin/python", "-m", "queuectl")
SUPERVISORD = """\
[unix_http_server]
file=/var/run/supervisor.sock
[supervisord]
childlogdir=/var/log/supervisor
[include]
files = /etc/supervisor/conf.d/*.conf
"""
"""The part that counts of /etc/supervisor/supervisord.conf, as Debian has it."""
COMPLETIONS = {"bash": "bash/queuectl", "zsh": "zsh/_queuectl", "fish": "fish/queuectl.fish"}


def generated() -> dict[str, str]:
    """All files, by their path below deploy/."""
    return {**_units(), **_completions(), **{f"man/{name}": text for name, text in pages().items()}}


def _units() -> dict[str, str]:
    """What `service render` says of deploy/queuectl.yaml, installed as install.sh does."""
    place = Installation(SYSTEM_HOME, str(HERE / "queuectl.yaml"), False)
    settings = load(place, {}).settings
    # Whatever this machine has there: on the one that it is for, the home is the user's.
    here = site(settings, place, PROGRAM)._replace(owner=None, account_home=SYSTEM_HOME)
    units = described(settings)
    made = {f"systemd/{Path(path).name}": text for path, text in rendering.render(here, SYSTEM, units).items()}
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(SUPERVISORD)
        config.flush()
        programs = SharedSupervisord(here, config.name).render(units)
    return made | {f"supervisord/{Path(path).name}": text for path, text in programs.items()}


def _completions() -> dict[str, str]:
    made = {}
    for shell, path in COMPLETIONS.items():
        kind = get_completion_class(shell)
        if kind is None:
            raise click.ClickException(f"this Click has no completion for {shell}")
        made[f"completions/{path}"] = kind(root, {}, "queuectl", "_QUEUECTL_COMPLETE").source() + "\n"
    return made


def main() -> None:
    made = generated()
    for directory in ("systemd", "supervisord", "completions", "man"):
        for path in (HERE / directory).rglob("*"):
            if path.is_file() and str(path.relative_to(HERE)) not in made:
                path.unlink()
    for name, text in made.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
