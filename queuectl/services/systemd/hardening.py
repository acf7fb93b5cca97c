"""What the units of a pool may not do.

`compatible` takes nothing from jobs that a shell of the service's user would let them do: nearly every restriction of
systemd implies NoNewPrivileges, which ends sudo, or a file system of its own, in which /tmp isn't everybody's.
`strict` is for jobs that compute: they read the system, write their home, and use the network.
"""

from __future__ import annotations

import os

from queuectl.services.manager import Site
from queuectl.services.systemd.escaping import paths

_STRICT = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
{home}
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
"""

_HOMES = ("/home", "/root", "/run/user")


def lines(profile: str, site: Site, where: str) -> str:
    """The directives of a profile.

    Raises:
        ConfigError: a path can't be written in them.
    """
    if profile != "strict":
        return ""
    writable = paths(dict.fromkeys((site.home, os.path.dirname(site.database or site.home))), where)
    needed = [site.home, site.database, site.config_file or "", *site.code]
    in_homes = any(path.startswith(tuple(f"{home}/" for home in _HOMES)) for path in needed)
    # What lies in a person's home must stay to be seen there; it can't be written all the same.
    home = f"ProtectHome={'read-only' if in_homes else 'yes'}\nReadWritePaths={writable}"
    return _STRICT.format(home=home)
