"""The gateway to a running supervisord: its XML-RPC over a unix socket, typed."""

from __future__ import annotations

import http.client
import os
import socket
import xmlrpc.client
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from xml.parsers.expat import ExpatError

from queuectl.errors import ServiceError

T = TypeVar("T")

ANSWER = 10.0
"""Seconds. supervisord answers in less than a millisecond; one that doesn't is stopped, or swaps."""

LONGEST = 107
"""Bytes of the path of a unix socket."""

STOPPED = frozenset({0, 100, 200, 1000})
"""The states STOPPED, EXITED, FATAL and UNKNOWN: there is no process, and the program can be removed."""
STARTING, RUNNING, BACKOFF, STOPPING, EXITED = 10, 20, 30, 40, 100

SHUTDOWN_STATE = 6
BAD_NAME = 10
FAILED = 30
ABNORMAL = 40
"""As the answer to a start: it is stopping."""
ALREADY_STARTED = 60
NOT_RUNNING = 70
STILL_RUNNING = 91


class Refused(ServiceError):
    """supervisord understood, and said no; `code` is its fault's."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Gone(ServiceError):
    """supervisord ended in the midst of the conversation, or is ending: then it does nothing any more."""


class Unanswered(ServiceError):
    """It is silent, or who answers isn't supervisord."""


class Info(NamedTuple):
    """A program as supervisord sees it."""

    name: str
    state: int
    pid: int | None
    started_at: int | None
    """Seconds since the epoch."""
    exit_status: int
    """Of the last exit; -1 after a signal."""
    spawn_error: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002
        if self._connection[1] is None:
            self._connection = "localhost", _Connection(self._path)
        connection = self._connection[1]
        assert connection is not None
        return connection


class Rpc:
    """The calls that queuectl makes. Each raises Refused, Gone or Unanswered; close it, or use it in a `with`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._transport = _Transport(path)
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=self._transport)
        self._supervisor: Any = proxy.supervisor

    @classmethod
    def connect(cls, path: str) -> Rpc | None:
        """A connection to the supervisord that listens on `path`; None if there is none, or it is ending."""
        if len(os.fsencode(path)) > LONGEST:
            return None  # nobody can listen there
        rpc = cls(path)
        try:
            rpc.pid()
        except Gone:
            rpc.close()
            return None
        except BaseException:
            rpc.close()
            raise
        return rpc

    def __enter__(self) -> Rpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def pid(self) -> int:
        return self._call(lambda: int(self._supervisor.getPID()))

    def shutdown(self) -> None:
        self._call(lambda: self._supervisor.shutdown())

    def programs(self) -> list[Info]:
        return [
            Info(
                str(each["name"]),
                int(each["state"]),
                int(each["pid"]) or None,
                int(each["start"]) or None,
                int(each["exitstatus"]),
                str(each["spawnerr"]),
            )
            for each in self._call(lambda: self._supervisor.getAllProcessInfo())
        ]

    def reread(self) -> None:
        """Read the file again. Nothing is started or stopped by it."""
        self._call(lambda: self._supervisor.reloadConfig())

    def reread_changes(self) -> tuple[list[str], list[str], list[str]]:
        """Read the file again; the programs that are new, changed, gone since what runs was taken up."""
        ((added, changed, removed),) = self._call(lambda: self._supervisor.reloadConfig())
        return [str(name) for name in added], [str(name) for name in changed], [str(name) for name in removed]

    def start(self, name: str) -> bool:
        """Start a program that is stopped; False if its former process is still stopping, or nobody knows it."""
        refusals = {ALREADY_STARTED: True, ABNORMAL: False, BAD_NAME: False}
        return self._unless(refusals, lambda: self._supervisor.startProcess(name, False))

    def add(self, name: str) -> None:
        """Take up a program that the file has; it starts."""
        self._call(lambda: self._supervisor.addProcessGroup(name))

    def remove(self, name: str) -> bool:
        """Forget a program; False if its process is still there. That it isn't known is no error."""
        return self._unless({STILL_RUNNING: False, BAD_NAME: True}, lambda: self._supervisor.removeProcessGroup(name))

    def stop(self, name: str) -> bool:
        """Send the stop signal, not to be restarted; False if there is no process, or it is stopping already."""
        refusals = {NOT_RUNNING: False, BAD_NAME: False, FAILED: False}
        # wait=False: supervisord would hold the answer back until it has ended.
        return self._unless(refusals, lambda: self._supervisor.stopProcess(name, False))

    def signal(self, name: str, signum: int) -> bool:
        """Send a signal; False if there is no process."""
        refusals = {NOT_RUNNING: False, BAD_NAME: False, FAILED: False}
        return self._unless(refusals, lambda: self._supervisor.signalProcess(name, str(signum)))

    def _unless(self, refusals: dict[int, bool], call: Callable[[], object]) -> bool:
        try:
            self._call(call)
        except Refused as refused:
            if refused.code in refusals:
                return refusals[refused.code]
            raise
        return True

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == SHUTDOWN_STATE:
                raise Gone(f"supervisord at {self._path} is shutting down") from fault
            raise Refused(f"supervisord at {self._path} refused: {fault.faultString}", fault.faultCode) from fault
        except (ConnectionError, FileNotFoundError) as error:
            raise Gone(f"supervisord at {self._path} ended before it answered") from error
        except PermissionError as error:
            raise Unanswered(
                f"expected to be let in by supervisord at {self._path}: {(error.strerror or '').lower()}",
                hint="it is somebody else's, root's perhaps: the same command with sudo in front, and --home",
            ) from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:
            raise Unanswered(
                f"expected an answer from supervisord at {self._path}, got: {error or type(error).__name__}",
                hint=f"its log is supervisord.log among the logs; is it yours? ls -l {self._path}",
            ) from error
