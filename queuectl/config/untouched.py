"""A look that spares most commands the rest: where nothing is set, the built-in settings are all there is.

To read the table of keys takes 3 ms, which `queuectl enqueue` in a shell's loop would pay each time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from queuectl.config.installation import Installation

_NAMES = frozenset({"QUEUECTL_HOME", "QUEUECTL_CONFIG"})
"""Where the installation is: no settings."""


def is_untouched(installation: Installation, environ: Mapping[str, str]) -> bool:
    """Whether there is no YAML, no file in config.d, and no variable that might be a setting."""
    if installation.explicit_config or any(name.startswith("QUEUECTL_") and name not in _NAMES for name in environ):
        return False
    stem = installation.config_file.removesuffix(".yaml")
    if os.path.lexists(f"{stem}.yaml") or os.path.lexists(f"{stem}.yml"):
        return False
    try:
        return all(name.startswith(".") for name in os.listdir(installation.config_dir))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # the one who reads it says what is wrong
