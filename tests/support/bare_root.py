"""A bare Debian, made for a test in a root of its own, and what a script that runs there as root reports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")


def report_of(script: Path, scratch: Path) -> dict[str, Any]:
    """Run a script on a new machine, with the source in /src; the JSON that is its last line.

    Skips where no such machine can be made, but not in CI.
    """
    lacks = missing()
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"needs {lacks}")
    assert not lacks
    root, source = scratch / "root", scratch / "source"
    root.mkdir()
    source.mkdir()
    copy_source(source)
    pip = pip_environment()
    argv = [
        "unshare",
        *NAMESPACES,
        Path(__file__).with_name("bare_machine.sh"),
        root,
        source,
        script,
        mirror(),
        *paths_of(pip),
    ]
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **pip}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def missing() -> str | None:
    """What a bare machine can't be made without."""
    if os.geteuid() != 0:
        return "root, to make namespaces"
    return next((name for name in ("debootstrap", "unshare", "git") if shutil.which(name) is None), None)


def mirror() -> str:
    """Where this machine gets Debian's packages from; "" = where debootstrap does."""
    targets = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    for line in subprocess.run(targets, capture_output=True, text=True).stdout.splitlines():
        site, release, component = line.split()
        if (release, component) == ("bookworm", "main"):
            return site
    return ""


def pip_environment() -> dict[str, str]:
    """How pip is set up here, as variables: what its files say, and over that what its variables say."""
    said = {}
    for path in map(os.path.expanduser, (*PIP_FILES, os.environ.get("PIP_CONFIG_FILE", ""))):
        if os.path.isfile(path):
            for key, value in re.findall(r"(?m)^([\w-]+)\s*=\s*(.*(?:\n[ \t]+.*)*)$", Path(path).read_text()):
                said[f"PIP_{key.upper().replace('-', '_')}"] = " ".join(value.split())
    wanted = ("PIP_", "SSL_CERT", "REQUESTS_CA", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    said |= {name: value for name, value in os.environ.items() if name.upper().startswith(wanted)}
    said.pop("PIP_CONFIG_FILE", None)
    return said


def paths_of(environment: dict[str, str]) -> list[str]:
    """The files and directories of this machine that these variables name; of a local index also its neighbours."""
    found = set()
    for scheme, path in re.findall(r"(file://)?(/[\w./+-]+)", " ".join(environment.values())):
        whole = os.path.dirname(path.rstrip("/")) if scheme else path
        if os.path.exists(whole) and whole != "/":
            found.add(whole)
    return sorted(path for path in found if not any(path.startswith(f"{other}/") for other in found))


def copy_source(target: Path) -> None:
    """The files that git knows, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if (REPOSITORY / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
