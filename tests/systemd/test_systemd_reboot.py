"""A machine that goes down hard, and comes up again on the same disk."""

from __future__ import annotations

import uuid
from pathlib import Path

from machine import booted


def test_after_a_reboot_the_pool_comes_up_and_finishes_what_ran(tmp_path: Path) -> None:
    state, units = tmp_path / "state", tmp_path / "units"
    for each in (state, units):
        each.mkdir()
    config = state / "queuectl.yaml"
    config.write_text("pools: {default: {workers: 2}}\nkill_grace: 1\n")
    place = ("--home", f"{state}/home", "--config", str(config))
    options = ("-w", str(state), "-u", str(units))
    script = f"[ -e {state}/mark ] && exit 0; touch {state}/mark; sleep 600"
    with booted(*options, "-b", str(uuid.uuid4())) as machine:
        machine.queuectl("service", "install", *place)
        job = machine.queuectl("enqueue", *place, "--", "sh", "-c", script).strip()
        machine.until(lambda: (state / "mark").exists(), "it runs")
        # PID 1 is killed now, and all with it: a power cut, to what runs there.
    assert sorted(each.name for each in units.iterdir())[0] == "multi-user.target.wants"
    with booted(*options, "-b", str(uuid.uuid4())) as machine:
        machine.until(
            lambda: machine.document("show", job, *place)["state"] == "completed", "it is finished after the boot", 30
        )
        found = machine.document("show", job, *place)
        assert found["attempts"] == 1
        assert [attempt["outcome"] for attempt in found["attempts_log"]] == ["released", "completed"]
        assert {each["state"] for each in machine.document("worker", "status", *place)} == {"running"}
