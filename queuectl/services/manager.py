"""What any service manager does for workers, and the records it speaks in."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from signal import Signals
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from queuectl.domain.settings import Pool
from queuectl.services.changes import Change
from queuectl.services.escalation import Step

ProcessState = Literal["starting", "running", "stopping", "stopped", "failed"]


class WorkerUnit(NamedTuple):
    """One worker that is to run. Units sort by pool, then by number."""

    pool: str
    instance: int

    @property
    def name(self) -> str:
        """`POOL-N`, in all that people see, and the name of its lock and log."""
        return f"{self.pool}-{self.instance}"

    @classmethod
    def parse(cls, name: str) -> WorkerUnit | None:
        """The unit of a `POOL-N`; None if `name` is none. A pool's own name may hold dashes."""
        pool, dash, number = name.rpartition("-")
        # 07 would be a second name of the seventh.
        if not (pool and dash and number.isascii() and number.isdigit() and str(int(number)) == number):
            return None
        return cls(pool, int(number))


class Site(NamedTuple):
    """What all units of an installation share. Paths are absolute, durations seconds."""

    home: str
    config_file: str | None
    """Only if it was given explicitly: else the worker finds the home's own."""
    program: tuple[str, ...]
    """How to run queuectl: its argv, without a subcommand."""
    logs: str
    """Directory of the workers' logs. It exists, as the next one does."""
    supervisor: str
    """Directory of the private supervisord."""
    shutdown_timeout: float
    kill_grace: float
    user: str | None = None
    """Whom to run as, where that isn't who asks: root acts on somebody's home as its owner."""
    owner: str | None = None
    """Whom the home belongs to; None while it isn't there."""
    account: str = ""
    """Whom a service that is installed runs as."""
    account_home: str = "/"
    """That user's home directory."""
    database: str = ""
    """The path of the SQLite file."""
    patience: float = 300.0
    """How long a worker may show no sign of life."""
    hardening: str = "compatible"
    code: tuple[str, ...] = ()
    """Where the program lies, links followed: it must be there for a worker to see."""
    pools: Mapping[str, Pool] = {}
    shared: bool = False
    """Whether a group may read the logs."""

    def pool(self, name: str) -> Pool:
        """The pool of that name; of one that is in the settings no more, what every pool has."""
        return self.pools.get(name, Pool(name))


def command(site: Site, unit: WorkerUnit) -> tuple[str, ...]:
    """The argv of a worker. It carries no setting: those are read by the worker, so that a reload can change them."""
    config = ("--config", site.config_file) if site.config_file is not None else ()
    where = ("--home", site.home, *config)
    return (*site.program, "worker", "run", *where, "--pool", unit.pool, "--instance", str(unit.instance))


def log_file(site: Site, unit: WorkerUnit) -> str:
    """Where the output of a worker goes, unless the manager has a journal of its own."""
    return f"{site.logs}/{unit.name}.log"


CONFIG_REFUSED = 78
"""The exit code of a worker that says that a restart won't help."""


def stop_wait(site: Site) -> int:
    """Seconds until the manager kills a worker that was told to stop: time enough for it to end its jobs itself."""
    return math.ceil(site.shutdown_timeout + site.kill_grace) + 10


class Process(NamedTuple):
    """A worker as the service manager sees it."""

    name: str
    pool: str
    instance: int
    state: ProcessState
    """`starting` also while it waits to be restarted; `failed` is not tried again."""
    pid: int | None
    started_at: int | None
    """Milliseconds since the epoch."""
    detail: str
    """Why it is in its state, where the manager knows; else empty."""

    @property
    def unit(self) -> WorkerUnit:
        return WorkerUnit(self.pool, self.instance)


class Manager(Protocol):
    """What queuectl asks of a service manager. All methods raise ServiceError if it refuses or doesn't answer."""

    def render(self, units: Sequence[WorkerUnit]) -> Mapping[str, str]:
        """The files that describe `units`, by path. It reads and writes nothing.

        Raises:
            ConfigError: a path or a name can't be written in the manager's format.
        """

    def start(self, units: Sequence[WorkerUnit]) -> None:
        """Have `units` run. What runs already is left as it is, what is stopping is started afterwards.

        It returns when the manager has begun, not when the workers are ready.
        """

    def stop(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        """Send TERM and return when the processes are gone; `steps` hurry those that linger."""

    def restart(self, units: Sequence[WorkerUnit], steps: Sequence[Step] = ()) -> None:
        """Stop `units`, then start them as they are described now."""

    def reload(self, units: Sequence[WorkerUnit]) -> None:
        """Have `units` take a new configuration or program under the same PID."""

    def signal(self, units: Sequence[WorkerUnit], signum: Signals) -> None:
        """Send a signal to those of `units` that have a process."""

    def status(self) -> list[Process]:
        """All workers that the manager knows, sorted; none if it doesn't run."""

    def logs(self, unit: WorkerUnit, lines: int, follow: bool = False) -> Iterator[str]:
        """The last `lines` lines that `unit` wrote, without their ends; with `follow` those to come, without end."""


@runtime_checkable
class SystemManager(Manager, Protocol):
    """A manager that runs by itself, and gets queuectl's files beside those of others: see services/installing.py."""

    @property
    def kind(self) -> str:
        """Its name, as it is kept beside the list of what was written."""

    def owns(self, path: str) -> bool:
        """Whether a file at `path` can be one that queuectl wrote for it: nothing else is ever removed."""

    def is_roster(self, change: Change) -> bool:
        """Whether `change` concerns only which workers there are, not how they run: then scaling makes it."""

    def verify(self, files: Mapping[str, str]) -> None:
        """Have the manager's own parser read `files`, which aren't installed yet.

        Raises:
            ServiceError: with what it says of them.
        """

    def take_up(self, changes: Sequence[Change], units: Sequence[WorkerUnit], start: bool) -> Sequence[WorkerUnit]:
        """Have `changes`, which are on the disk now, count. `units` are all that there should be.

        What is described otherwise now is restarted, what doesn't run is started, what is no more is stopped, and all
        else left alone; without `start` nothing is. Those that were started or restarted.
        """

    def withdraw(self) -> None:
        """Stop all workers, and don't start them at boot any more."""

    def forget(self, paths: Collection[str]) -> None:
        """Have the manager see that the files are gone; remove what they left behind."""
