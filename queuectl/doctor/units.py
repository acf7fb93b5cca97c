"""Whether what was installed for a service manager says what the configuration says."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.config.installation import Installation
from queuectl.config.layers import Config
from queuectl.domain.findings import Finding, error, ok, warning
from queuectl.errors import QueuectlError
from queuectl.pools.service import Service
from queuectl.services import manifest


def examine(place: Installation, config: Config) -> Iterator[Finding]:
    """The files of `service install`, if it wrote any."""
    try:
        installed = manifest.load(place.home)
        if installed is None:
            return
        changed = [change.path for change in Service(config, place).diff()]
    except QueuectlError as refused:
        yield error("service.files", place.home, str(refused), refused.hint)
        return
    if changed:
        found = "isn't as the configuration says now, or somebody changed it; `queuectl service diff` shows how"
        yield warning("service.files", ", ".join(changed), found, "queuectl service install")
    else:
        yield ok("service.files", installed.manager, f"all {len(installed.files)} files are as they should be")
