"""What the configuration of the system's supervisord says: where it listens, and where it looks for programs."""

from __future__ import annotations

import configparser
import glob
import os
from typing import NamedTuple

from queuectl.errors import ConfigError, Problem

KEY = "service.supervisord_config"


class SharedPlace(NamedTuple):
    """Where the system's supervisord has its things."""

    config: str
    socket: str
    directory: str
    """Where the files lie that it includes."""
    suffix: str
    """How their names end."""
    logs: str
    """The directory of its programs' logs."""


def read(config: str) -> SharedPlace:
    """What the file `config` says.

    Raises:
        ConfigError: it can't be read, or has no unix socket, or includes no directory.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        with open(config, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if os.geteuid() == 0 and (found.st_uid != 0 or found.st_mode & 0o022):
                raise _refused(config, "expected a file that only root can write, since root acts on what it says")
            parser.read_file(file)
    except OSError as error:
        raise _refused(config, f"expected a readable file, got: {(error.strerror or str(error)).lower()}") from error
    except (configparser.Error, ValueError) as error:
        raise _refused(config, f"expected the configuration of a supervisord, got: {error}") from error
    here = os.path.dirname(os.path.abspath(config))

    def value(section: str, option: str) -> str:
        text = parser.get(section, option, fallback="")
        return text.replace("%(here)s", here).replace("%%", "%")

    def path(text: str) -> str:
        return os.path.normpath(os.path.join(here, text))

    socket = value("unix_http_server", "file")
    if not socket:
        raise _refused(config, "expected [unix_http_server] with file=, by which supervisorctl speaks to it; got none")
    patterns = [path(word) for word in value("include", "files").split()]
    for pattern in patterns:
        directory, name = os.path.split(pattern)
        before, star, suffix = name.partition("*")
        if star and not before and not glob.has_magic(suffix) and not glob.has_magic(directory):
            break
    else:
        got = " ".join(patterns) or "none"
        raise _refused(config, f"expected [include] with files=DIRECTORY/*.conf, where programs are put, got {got}")
    logs = value("supervisord", "childlogdir") or os.path.dirname(value("supervisord", "logfile"))
    if not logs:
        raise _refused(config, "expected [supervisord] with childlogdir= or logfile=, where logs go, got neither")
    return SharedPlace(os.path.abspath(config), path(socket), directory, suffix, path(logs))


def _refused(config: str, message: str) -> ConfigError:
    return ConfigError([Problem(f"{KEY}: {config}", message)])
