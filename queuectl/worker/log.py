"""The worker's log: a line an event, `TIME LEVEL event key=value …`, to stderr, where the service manager takes it."""

from __future__ import annotations

import json
import logging
import sys

from queuectl.domain.clock import now_ms, rfc3339
from queuectl.domain.events import EVENTS

_logger = logging.getLogger("queuectl")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{rfc3339(now_ms())} {record.levelname:<7} {record.getMessage()}"


def set_up(level: str) -> None:
    """Log from `level` on: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(level.upper())


def event(name: str, level: int = logging.INFO, /, **fields: object) -> None:
    """Log one of `domain.events`; values with blanks or quotes in them are written as JSON, so a line stays a line."""
    if not _logger.isEnabledFor(level):
        return
    assert name in EVENTS, name
    _logger.log(level, "%s", " ".join([name, *(f"{key}={_value(value)}" for key, value in fields.items())]))


def _value(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not any(mark in text for mark in ' "=\\'):
        return text
    return json.dumps(text)
