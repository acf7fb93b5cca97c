from __future__ import annotations

import os
from pathlib import Path

import pytest

from queuectl.errors import ServiceError
from queuectl.services import private


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o644)
    private.write(str(path), "nëw")
    assert path.read_text("utf-8") == "nëw"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_what_can_not_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"none/f: can't be written: no such file"):
        private.write(str(tmp_path / "none" / "f"), "")
    with pytest.raises(ServiceError, match=r"none/f: can't be written: no such file"):
        private.open_lock(str(tmp_path / "none" / "f"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_in_somebodys_directory_is_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    private.write(str(tmp_path / "f"), "")
    os.close(private.open_lock(str(tmp_path / "l")))
    assert {os.stat(tmp_path / name).st_uid for name in "fl"} == {65534}
