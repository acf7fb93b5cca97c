"""What lies in deploy/ is what queuectl says, and what the programs that read it understand."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
sys.path.insert(0, str(DEPLOY))

from generate import generated  # noqa: E402

MADE = generated()
ON_DISK = [
    path.relative_to(DEPLOY).as_posix()
    for directory in ("systemd", "supervisord", "completions", "man")
    for path in (DEPLOY / directory).rglob("*")
    if path.is_file()
]


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on this machine")
    return found


def test_nothing_is_missing_and_nothing_too_much() -> None:
    assert sorted(ON_DISK) == sorted(MADE)


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_file_is_as_deploy_generate_makes_it(name: str) -> None:
    assert (DEPLOY / name).read_text() == MADE[name]


@pytest.mark.parametrize("name", [name for name in sorted(MADE) if name.startswith("man/")])
def test_groff_has_nothing_to_say_of_a_page(name: str) -> None:
    argv = [needs("groff"), "-man", "-Tutf8", "-ww", "-z", str(DEPLOY / name)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_page_shows_options_as_they_are_typed() -> None:
    argv = [needs("groff"), "-man", "-Tascii", "-P-c", str(DEPLOY / "man/queuectl-worker.1")]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    shown = " ".join(re.sub(".\b|\x1b\\[[0-9;]*m", "", text).split())
    assert "--no-detach" in shown
    assert "queuectl worker scale [OPTIONS] POOL N" in shown


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "completions/bash/queuectl"),
        ("zsh", "completions/zsh/_queuectl"),
        ("fish", "completions/fish/queuectl.fish"),
        ("bash", "install.sh"),
    ],
)
def test_the_shell_can_read_it(shell: str, path: str) -> None:
    done = subprocess.run([needs(shell), "-n", str(DEPLOY / path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "script", ["deploy/install.sh", ".ci/run", "tests/support/bare_machine.sh", "tests/support/with-systemd.sh"]
)
def test_shellcheck_is_silent(script: str) -> None:
    argv = [needs("shellcheck"), DEPLOY.parent / script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_tmpfiles_makes_the_home_private_and_leaves_one_that_is_shared(tmp_path: Path) -> None:
    tmpfiles = needs("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("needs root, to give directories away")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nqueuectl:x:61001:61001::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nqueuectl:x:61001:\n")
    command = [tmpfiles, "--create", f"--root={tmp_path}", str(DEPLOY / "tmpfiles.d/queuectl.conf")]
    home = tmp_path / "var/lib/queuectl"
    subprocess.run(command, check=True)
    made = home.stat()
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o700, 61001, 61001)
    os.chown(home, 61001, 61010)
    os.chmod(home, 0o2750)
    subprocess.run(command, check=True)
    left = home.stat()
    assert (stat.S_IMODE(left.st_mode), left.st_uid, left.st_gid) == (0o2750, 61001, 61010)
