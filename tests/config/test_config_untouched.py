"""The short cut past the configuration: only where there is none."""

from __future__ import annotations

import os

import pytest

from queuectl.config.installation import create, locate
from queuectl.config.layers import load
from queuectl.config.untouched import is_untouched
from queuectl.domain.settings import Settings


def test_a_home_without_any_setting_has_the_built_in_ones(tmp_path):
    place = locate(str(tmp_path / "home"), None, True, {"HOME": str(tmp_path)})
    assert is_untouched(place, {"QUEUECTL_HOME": "x", "PATH": "/bin"})
    create(place)
    assert is_untouched(place, {})
    assert load(place, {}).settings == Settings()


@pytest.mark.parametrize(
    "path", ["queuectl.yaml", "queuectl.yml", "config.d/50-set.yaml", "config.d/x.yml", "config.d/x"]
)
def test_any_file_is_looked_at(tmp_path, path):
    place = locate(str(tmp_path), None, True, {"HOME": str(tmp_path)})
    create(place)
    with open(os.path.join(tmp_path, path), "w") as file:
        file.write("max_retries: 1\n")
    assert not is_untouched(place, {})


def test_a_variable_that_may_be_a_setting_is_looked_at(tmp_path):
    place = locate(str(tmp_path), None, True, {"HOME": str(tmp_path)})
    assert not is_untouched(place, {"QUEUECTL_MAX_RETRIES": "1"})


def test_a_file_that_was_named_is_looked_at_even_if_it_is_missing(tmp_path):
    place = locate(str(tmp_path), str(tmp_path / "no.yaml"), True, {"HOME": str(tmp_path)})
    assert not is_untouched(place, {})
