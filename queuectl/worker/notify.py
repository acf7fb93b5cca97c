"""Telling systemd how it goes: the datagrams of sd_notify(3), to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import os
import socket
import time


class Notify:
    """Says nothing where nobody listens: under supervisord, or by hand."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]  # the abstract namespace
        self._status = ""

    def ready(self) -> None:
        """The service is up; said at once, since a worker that waits for its database is a healthy one."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def alive(self) -> None:
        """The watchdog's heartbeat: to be sent by the loop itself, so that one that hangs is found."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """The service ends, and may take that long."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
            try:
                sender.sendto(text.encode(), self._address)
            except OSError:
                pass  # a manager that is being restarted; the next word will reach it
