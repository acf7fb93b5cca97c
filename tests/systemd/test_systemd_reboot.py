"""A machine that goes down hard, and comes up again on the same disk."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from machine import booted
from real_home import until

BOOT, NEXT_BOOT = str(uuid.uuid4()), str(uuid.uuid4())


@pytest.mark.parametrize(
    ("boot", "outcome", "attempts"),
    [(NEXT_BOOT, "released", 1), (BOOT, "crashed", 2)],
    ids=["a reboot", "the same boot, as of a container's host"],
)
def test_after_a_reboot_the_pool_comes_up_and_finishes_what_ran(
    tmp_path: Path, boot: str, outcome: str, attempts: int
) -> None:
    state, units = tmp_path / "state", tmp_path / "units"
    for each in (state, units):
        each.mkdir()
    config = state / "queuectl.yaml"
    config.write_text("pools: {default: {workers: 2}}\nkill_grace: 1\nbackoff_base: 1\nbackoff_jitter: 0\n")
    place = ("--home", f"{state}/home", "--config", str(config))
    options = ("-w", str(state), "-u", str(units))
    script = f"[ -e {state}/mark ] && exit 0; touch {state}/mark; sleep 600"
    with booted(*options, "-b", BOOT) as machine:
        machine.queuectl("service", "install", *place)
        job = machine.queuectl("enqueue", *place, "--", "sh", "-c", script).strip()
        until(lambda: (state / "mark").exists(), "it runs", 60)
        # PID 1 is killed now, and all with it: a power cut, to what runs there.
    assert sorted(each.name for each in units.iterdir())[0] == "multi-user.target.wants"
    with booted(*options, "-b", boot) as machine:
        until(
            lambda: machine.document("show", job, *place)["state"] == "completed", "it is finished after the boot", 60
        )
        found = machine.document("show", job, *place)
        assert found["attempts"] == attempts
        assert [attempt["outcome"] for attempt in found["attempts_log"]] == [outcome, "completed"]
        until(
            lambda: {each["state"] for each in machine.document("worker", "status", *place)} == {"running"},
            "all workers are up",
            60,
        )
