"""The worker's log: a line an event, `TIME LEVEL event key=value …`, to stderr, where the service manager takes it.

Under systemd the journal gets the same line with the event and its values as fields, so that
`journalctl QUEUECTL_EVENT=job.dead` finds what it says.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys

from queuectl.domain.clock import now_ms, rfc3339
from queuectl.domain.events import EVENTS

_logger = logging.getLogger("queuectl")
_JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""The levels as syslog numbers them."""


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{rfc3339(now_ms())} {record.levelname:<7} {record.getMessage()}"


class _Journal(logging.Handler):
    """Speaks the journal's native protocol: a datagram of NAME=value lines."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        fields = {
            "MESSAGE": record.getMessage(),
            "PRIORITY": _PRIORITIES.get(record.levelno, 6),
            "SYSLOG_IDENTIFIER": "queuectl",
            "QUEUECTL_EVENT": record.__dict__.get("event", ""),
            **{f"QUEUECTL_{key.upper()}": value for key, value in record.__dict__.get("fields", {}).items()},
        }
        data = b"".join(_field(name, str(value)) for name, value in fields.items())
        try:
            self._socket.sendto(data, _JOURNAL)
        except OSError:
            sys.stderr.write(f"{record.getMessage()}\n")  # too long, or the journal is away: the pipe to it waits


def _field(name: str, value: str) -> bytes:
    """A value of several lines is sent by its length: else it could pass for further fields."""
    data = value.encode(errors="replace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def set_up(level: str) -> None:
    """Log from `level` on: debug, info, warning or error."""
    handler: logging.Handler = _Journal() if _stderr_is_the_journal() else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(level.upper())


def _stderr_is_the_journal() -> bool:
    """Whether JOURNAL_STREAM names what stderr is; the variable alone may be a parent's."""
    try:
        stderr = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


def event(name: str, level: int = logging.INFO, /, **fields: object) -> None:
    """Log one of `domain.events`; values with blanks or quotes in them are written as JSON, so a line stays a line."""
    if not _logger.isEnabledFor(level):
        return
    assert name in EVENTS, name
    line = " ".join([name, *(f"{key}={_value(value)}" for key, value in fields.items())])
    _logger.log(level, "%s", line, extra={"event": name, "fields": fields})


def _value(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not any(mark in text for mark in ' "=\\'):
        return text
    return json.dumps(text)
