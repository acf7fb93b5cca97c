"""On a bare Debian, made for this test: README's three lines, and the manual's lines about pip."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")


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


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    lacks = missing()
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"needs {lacks}")
    assert not lacks
    root, source = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("source")
    copy_source(source)
    pip = pip_environment()
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
         HERE / "machine.sh", root, source, HERE / "inside.py", mirror(), *paths_of(pip)],
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
             "LANG": "C.UTF-8", **pip},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


pytestmark = pytest.mark.timeout(600)


def test_the_demo_shows_it_all(report):
    demo = report["demo"]
    assert demo["code"] == 0
    listed = demo["said"].partition("$ queuectl list\n")[2].partition("\n$ ")[0]
    rows = {line.split()[0]: line.split()[1:4] for line in listed.splitlines()}
    assert [rows[job][0] for job in ("hello", "flaky", "stuck", "urgent")] == [
        "completed", "completed", "dead", "completed",
    ]  # fmt: skip
    assert (rows["flaky"][2], rows["broken"][2], rows["urgent"][1]) == ("2/4", "2/2", "10")
    assert "queuectl dlq list" in demo["said"]


def test_its_supervisord_lives_while_it_runs_and_nothing_after(report):
    assert "supervisord" in report["demo"]["supervisord"]
    assert report["demo"]["left"] == []


def test_it_touches_nothing_but_a_home_of_its_own(report):
    assert (report["demo"]["changed"], report["demo"]["temporary"]) == ([], [])


def test_pip_lists_removes_and_brings_it_back(report):
    assert report["listed"][0] == "queuectl"
    assert report["uninstalled"]
    assert "enqueue" in report["help"]


def test_it_validates_itself_without_pytest(report):
    assert "✗" not in report["validation"]
    assert report["validation"].splitlines()[-1].endswith(" 0 failed")
