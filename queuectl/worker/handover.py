"""What a worker leaves to itself when it execs: everything about the jobs that run on, in a memory file.

The next program may be a newer queuectl: fields are named, unknown ones are left out, and FORMAT says whether the
rest means the same. `worker check --handover FORMAT` asks a program that before it is trusted with running jobs.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from queuectl.domain.job import Spec
from queuectl.domain.states import Outcome
from queuectl.storage.claims import Claim, Process, Usage

FORMAT = 1
VARIABLE = "QUEUECTL_HANDOVER"
"""The environment variable that names the descriptor of the memory file."""


class RunningAttempt(NamedTuple):
    """An attempt that goes on over the exec. Times called `_at` are of the monotonic clock, which an exec keeps."""

    claim: Claim
    process: Process
    recorded: bool
    started_at: float
    deadline_at: float | None
    output: int
    """The descriptor of its output, inherited."""
    placed: bool
    """The output was moved to its place."""
    reason: Outcome | None
    """Why it is being ended, if it is."""
    ending: bool
    kill_at: float
    status: int | None
    """What wait4 said of the main process, if it has ended and left others behind."""
    usage: Usage | None


class Handover(NamedTuple):
    """The worker, and what it runs."""

    row: int
    uuid: str
    instance: int
    parent: int
    started_at: int
    reloads: int
    """This one included."""
    done: int
    state: str
    presence: int
    """The descriptor of the lock of its name, inherited."""
    attempts: tuple[RunningAttempt, ...]


def leave(handover: Handover) -> int:
    """Write it to a memory file; returns the descriptor, which an exec inherits."""
    fd = os.memfd_create("queuectl-handover", 0)
    data = {**handover._asdict(), "format": FORMAT, "attempts": [_packed(each) for each in handover.attempts]}
    with os.fdopen(fd, "w", closefd=False) as file:
        json.dump(data, file)
    for inherited in (fd, handover.presence, *(each.output for each in handover.attempts)):
        os.set_inheritable(inherited, True)
    return fd


def take() -> Handover | None:
    """What the program before the exec left, if there was one; nothing of it is inherited by jobs."""
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return None
    with os.fdopen(int(number), "r") as file:
        file.seek(0)
        data = json.load(file)
    handover = Handover(**_known(Handover, data | {"attempts": tuple(map(_unpacked, data["attempts"]))}))
    for inherited in (handover.presence, *(each.output for each in handover.attempts)):
        os.set_inheritable(inherited, False)
    return handover


def _packed(attempt: RunningAttempt) -> dict[str, object]:
    claim = attempt.claim
    return {
        **attempt._asdict(),
        "claim": {**claim._asdict(), "spec": claim.spec._asdict()},
        "process": attempt.process._asdict(),
        "usage": attempt.usage and attempt.usage._asdict(),
    }


def _unpacked(data: dict[str, Any]) -> RunningAttempt:
    claim, spec = data["claim"], data["claim"]["spec"]
    for name in ("argv", "no_retry_exit_codes", "tags"):
        spec[name] = None if spec[name] is None else tuple(spec[name])
    return RunningAttempt(
        **_known(
            RunningAttempt,
            data
            | {
                "claim": Claim(**_known(Claim, claim | {"spec": Spec(**_known(Spec, spec))})),
                "process": Process(**data["process"]),
                "usage": data["usage"] and Usage(**data["usage"]),
                "reason": data["reason"] and Outcome(data["reason"]),
            },
        )
    )


def _known(record: type[NamedTuple], data: dict[str, Any]) -> dict[str, Any]:
    """Those of the fields that this version's record has."""
    return {name: data[name] for name in record._fields if name in data}
