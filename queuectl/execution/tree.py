"""All processes of an attempt, and their end.

One way to end them serves timeout, cancel, stop, recovery and leftovers: TERM, the grace, then stop whatever is there
and look again until nothing new has come, and KILL it all. Pids are only hints: each is looked at again behind a
pidfd, which can't be given to another process in between.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

from queuectl.execution.identity import Stat, stat_of
from queuectl.execution.mark import Mark, carries

_SHORTEST, _LONGEST = 0.005, 0.1
"""Seconds between two looks at processes that are to end."""
_LOOKS = 5
"""How often at most one look at all processes is followed by one at those that came meanwhile."""
_ROUNDS = 10
"""How often at most to look for what was forked while its parent was being stopped, before the killing begins."""
_TURN = 0.05
"""Seconds after which a step lets its worker do other things: with tens of thousands of processes a look takes long."""


def pids() -> list[int]:
    """All processes there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children() -> list[int]:
    """This process's own children, those that it adopted too; zombies among them."""
    # Read to its end: one read gives a page at most, some 600 of them.
    with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as file:
        return [int(pid) for pid in file.read().split()]


def members(mark: Mark) -> dict[int, int]:
    """The living processes of the attempt, those that carry its mark and what descends from them: pid and start.

    A process that forks and ends, again and again, is another one by the time that it is looked at. So what came
    during the look is looked at too, and counts even where it is dead by then: it may have left a child.
    """
    alive: dict[int, Stat] = {}
    found: set[int] = set()
    seen = {os.getpid()}
    for look in range(_LOOKS):
        fresh = [pid for pid in pids() if pid not in seen]
        if not fresh:
            break
        seen.update(fresh)
        for pid in fresh:
            carrier = carries(pid, mark)
            stat = stat_of(pid)
            if stat is not None and (not stat.dead or (look and carrier)):
                alive[pid] = stat
                if carrier:
                    found.add(pid)
    offspring: dict[int, list[int]] = {}
    for pid, stat in alive.items():
        offspring.setdefault(stat.parent, []).append(pid)
    unseen = list(found)
    while unseen:
        for child in offspring.get(unseen.pop(), ()):
            if child not in found:
                found.add(child)
                unseen.append(child)
    return {pid: alive[pid].starttime for pid in found}


class Termination:
    """The end of an attempt's processes, in steps that don't wait: a worker has more to do meanwhile."""

    def __init__(self, mark: Mark, now: float, grace: float) -> None:
        """Send TERM to all of them. `now` is monotonic, `grace` seconds until KILL; without grace there is no TERM."""
        self.mark = mark
        self.unkillable: frozenset[int] = frozenset()
        """What the kernel doesn't let us signal, such as another user's process behind sudo."""
        self.kill_at = now + grace
        """When KILL is due, monotonic."""
        self._pause = _SHORTEST
        self._stopped: dict[int, int] = {}
        """Those that were sent STOP, to be killed with all others at once."""
        self._rounds = 0
        if grace > 0:
            _send(signal.SIGTERM, members(mark))

    @classmethod
    def resumed(cls, mark: Mark, kill_at: float) -> Termination:
        """One that was begun before an exec: TERM has been sent."""
        return cls(mark, kill_at, 0)

    def hasten(self, now: float) -> None:
        """The grace is over."""
        self.kill_at = min(self.kill_at, now)

    def step(self, now: float) -> float | None:
        """Do what is due at `now`. Returns the seconds until there is a reason to call again; None = all are dead."""
        alive = members(self.mark)
        if not alive:
            self.unkillable = frozenset()
            return None
        if now >= self.kill_at:
            self._kill()
            alive = members(self.mark)
            if not alive:
                return None
        self._pause = min(_LONGEST, self._pause * 2)
        return self._pause

    def _kill(self) -> None:
        began = time.monotonic()
        while self._rounds < _ROUNDS:
            # What is stopped forks no more: once a look finds nobody new, they are all there.
            new = {pid: start for pid, start in members(self.mark).items() if self._stopped.get(pid) != start}
            if not new:
                break
            _send(signal.SIGSTOP, new)
            self._stopped |= new
            self._rounds += 1
            if time.monotonic() - began > _TURN:
                return  # the next step goes on: what is stopped stays stopped
        self.unkillable = frozenset(_send(signal.SIGKILL, self._stopped))
        self._stopped = {}
        self._rounds = 0


def _send(signum: signal.Signals, targets: Mapping[int, int]) -> list[int]:
    """Signal processes, given as pid and start time. Returns the pids of those that may not be signalled."""
    refused = []
    for pid, starttime in targets.items():
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            # Only now can the pid not become another process's: is it still the one that was looked at?
            stat = stat_of(pid)
            if stat is not None and stat.starttime == starttime:
                signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            pass
        except PermissionError:
            refused.append(pid)
        finally:
            os.close(fd)
    return refused
