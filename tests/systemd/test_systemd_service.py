"""`queuectl service` and `queuectl worker` against a real systemd, as PID 1 of a throw-away machine."""

from __future__ import annotations

import json
import os
import shlex
import time

import pytest
from machine import CONFIG, HOME, QUEUECTL, UNITS, Machine
from real_home import until

from queuectl.services.manager import WorkerUnit
from queuectl.services.systemd.rendering import name

THREE = ["default-0", "default-1", "default-2"]
LISTING = (
    "find /etc /var/lib /run /usr/local -xdev | grep -v -e '^/run/systemd/' -e '^/run/log' -e ^/var/lib/queuectl | sort"
)


def unit(worker: str) -> str:
    found = WorkerUnit.parse(worker)
    assert found is not None
    return name(found)


def configure(machine: Machine, old: str, new: str) -> None:
    text = machine.read(CONFIG)
    assert old in text
    machine.write(CONFIG, text.replace(old, new))


def systemd_pids(machine: Machine) -> dict[str, int | None]:
    return {worker: int(machine.show(unit(worker), "MainPID")["MainPID"]) or None for worker in THREE}


def test_install_starts_three_and_both_say_the_same(machine: Machine) -> None:
    done = machine.document("service", "install")
    assert done["started"] == THREE
    pids = machine.workers()
    assert list(pids) == THREE
    assert systemd_pids(machine) == pids
    assert set(machine.states().values()) == {"running"}
    for worker in THREE:
        shown = machine.show(unit(worker), "ActiveState", "StatusText", "Type", "User", "Slice", "UnitFileState")
        assert shown["ActiveState"] == "active"
        assert "slots" in shown["StatusText"]
        assert (shown["User"], shown["Slice"]) == ("queuectl", "queuectl.slice")
    assert machine.run("systemctl", "is-enabled", "queuectl.target").strip() == "enabled"
    job = machine.enqueue("sh", "-c", "id -un; echo $HOME")
    assert machine.wait_job(job, "completed")["output"] == f"queuectl\n{HOME}\n"
    assert "worker.started worker=default-1" in machine.queuectl("worker", "logs", "default-1")
    # A second time nothing changes.
    assert machine.document("service", "install") == {"manager": "systemd", "written": [], "started": []}
    assert machine.workers() == pids
    assert machine.queuectl("service", "diff") == ""


def test_installing_again_starts_what_does_not_run(machine: Machine) -> None:
    # All files are written, and no worker gets ready: it refuses this database, and a second time as well.
    machine.sh(f"install -d -m 700 -o queuectl {HOME}; yes 'not a database' | head -c 999 > {HOME}/queue.db")
    for _ in range(2):
        said = machine.queuectl("service", "install", code=1, merge=True)
        assert "has failed (exit-code, 78" in said
        assert machine.queuectl("service", "diff") == ""
    machine.sh(f"rm {HOME}/queue.db")
    assert machine.document("service", "install") == {"manager": "systemd", "written": [], "started": THREE}
    pids = machine.workers()
    assert systemd_pids(machine) == pids
    machine.run("systemctl", "stop", unit("default-1"))
    assert machine.document("service", "install")["started"] == ["default-1"]
    after = machine.workers()
    assert {**after, "default-1": 0} == {**pids, "default-1": 0}
    assert after["default-1"]


def test_installing_without_start_leaves_that_to_the_next(machine: Machine) -> None:
    machine.document("service", "install", "--no-start")
    assert set(machine.states().values()) == {"stopped"}
    assert machine.document("service", "install")["started"] == THREE


def test_units_are_verified_in_silence(machine: Machine) -> None:
    machine.queuectl("service", "install", "--no-start")
    paths = [f"{UNITS}/{each}" for each in ("queuectl-default@.service", "queuectl.target", "queuectl.slice")]
    assert machine.run("systemd-analyze", "verify", *paths, merge=True) == ""
    assert set(machine.states().values()) == {"stopped"}


def test_a_killed_worker_is_back_within_two_seconds_and_its_job_retried(machine: Machine) -> None:
    machine.queuectl("service", "install")
    before = machine.workers()
    job = machine.enqueue("sh", "-c", "[ $QUEUECTL_ATTEMPT -gt 1 ] || sleep 600")
    machine.wait_job(job, "processing")
    worker = machine.job(job)["worker"]
    machine.run("kill", "-KILL", str(before[worker]))
    began = time.monotonic()
    until(
        lambda: (
            (now := machine.show(unit(worker), "ActiveState", "MainPID"))["ActiveState"] == "active"
            and now["MainPID"] not in ("0", str(before[worker]))
        ),
        "it is back",
        5,
    )
    assert time.monotonic() - began < 2
    done = machine.wait_job(job, "completed")
    assert [attempt["outcome"] for attempt in done["attempts_log"]][-1] == "completed"
    assert done["attempts"] == 2
    after = machine.workers()
    assert {name: pid for name, pid in after.items() if name != worker} == {
        name: pid for name, pid in before.items() if name != worker
    }


def test_twenty_kills_in_a_row(machine: Machine) -> None:
    machine.queuectl("service", "install")
    service = unit("default-0")
    # Each kills a process: not while it waits to be restarted.
    machine.sh(
        "for i in $(seq 20); do"
        f" until pid=$(systemctl show --property=MainPID --value {service}); [ $pid != 0 ]; do sleep 0.01; done;"
        " kill -KILL $pid; sleep 0.3; done"
    )
    until(lambda: set(machine.states().values()) == {"running"}, "all run", 3 - 0.3)
    assert machine.show(service, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "20"}


def test_a_stopped_process_is_found_by_the_watchdog(machine: Machine) -> None:
    configure(machine, "kill_grace: 1", "kill_grace: 1\njob_lock_timeout: 2")
    machine.queuectl("service", "install")
    job = machine.enqueue("sh", "-c", "[ $QUEUECTL_ATTEMPT -gt 1 ] || sleep 600")
    machine.wait_job(job, "processing")
    worker = machine.job(job)["worker"]
    pid = machine.workers()[worker]
    machine.run("kill", "-STOP", str(pid))
    until(lambda: machine.workers()[worker] not in (None, pid), "another process", 10)
    assert machine.wait_job(job, "completed")["attempts"] == 2


@pytest.mark.parametrize("how", ["queuectl worker stop", "systemctl stop 'queuectl-*@*.service'"])
def test_stop_waits_for_the_job(machine: Machine, how: str) -> None:
    machine.queuectl("service", "install")
    job = machine.enqueue("sleep", "2")
    machine.wait_job(job, "processing")
    pids = machine.workers()
    machine.sh(how.replace("queuectl worker", f"{shlex.quote(QUEUECTL)} worker"))
    for pid in pids.values():
        assert machine.code("test", "-e", f"/proc/{pid}") == 1
    assert machine.job(job)["state"] == "completed"
    assert set(machine.states().values()) == {"stopped"}
    assert machine.job(job)["attempts"] == 1


@pytest.mark.parametrize("options", [["--timeout", "1"], ["--force"]])
def test_stop_in_a_hurry_gives_the_job_back(machine: Machine, options: list[str]) -> None:
    machine.queuectl("service", "install")
    job = machine.enqueue("sh", "-c", "sleep 611 & setsid sleep 611; wait")
    machine.wait_job(job, "processing")
    began = time.monotonic()
    machine.queuectl("worker", "stop", *options)
    assert time.monotonic() - began < 8
    assert machine.code("pgrep", "-fx", "sleep 611") == 1
    found = machine.job(job)
    assert (found["state"], found["attempts"]) == ("pending", 0)
    # To systemd too it was an end that was asked for.
    assert machine.run("systemctl", "list-units", "--failed", "--no-legend", "queuectl*").strip() == ""
    # And it is started as if nothing had been.
    machine.queuectl("worker", "start")
    machine.wait_job(job, "processing")


def test_scaling_under_load_keeps_the_first_and_loses_nothing(machine: Machine) -> None:
    configure(machine, "workers: 3", "workers: 2")
    machine.queuectl("service", "install")
    before = machine.workers()
    machine.sh(f"mkdir {HOME}/marks; chown queuectl {HOME}/marks")
    lines = "".join(f"echo x >> {HOME}/marks/{number}; sleep 0.02\n" for number in range(200))
    machine.run(QUEUECTL, "enqueue", "--lines", "-", given=lines)
    machine.queuectl("worker", "scale", "default", "5")
    assert len([pid for pid in machine.workers().values() if pid]) == 5
    machine.queuectl("worker", "scale", "default", "2")
    assert machine.workers() == before
    until(lambda: machine.document("status")["jobs"]["completed"] == 200, "all are done", 60)
    assert machine.sh(f"cat {HOME}/marks/* | wc -l").strip() == "200"
    assert machine.sh(f"ls {HOME}/marks | wc -l").strip() == "200"
    assert {job["attempts"] for job in machine.document("list", "--limit", "0")} == {1}


def test_a_scaled_pool_comes_up_at_boot_until_worker_stop(machine: Machine) -> None:
    machine.queuectl("service", "install")
    machine.queuectl("worker", "scale", "default", "4")
    assert unit("default-3") in machine.show("queuectl.target", "Wants")["Wants"]
    assert machine.queuectl("service", "diff") == ""
    machine.queuectl("worker", "stop")
    assert unit("default-3") not in machine.show("queuectl.target", "Wants")["Wants"]
    assert machine.queuectl("service", "diff") == ""


def test_a_change_of_one_pool_concerns_that_pool(machine: Machine) -> None:
    configure(machine, "default: {workers: 3}", "default: {workers: 2}\n  heavy: {workers: 1}")
    machine.queuectl("service", "install")
    before = machine.workers()
    configure(machine, "heavy: {workers: 1}", "heavy: {workers: 1, nice: 7}")
    (change,) = json.loads(machine.queuectl("service", "diff", "--json", code=1))
    assert change["path"] == f"{UNITS}/queuectl-heavy@.service"
    assert machine.queuectl("service", "diff", code=1).splitlines()[-8:].count("+Nice=7") == 1
    done = machine.document("service", "install")
    assert done == {"manager": "systemd", "written": [change["path"]], "started": ["heavy-0"]}
    after = machine.workers()
    assert after["heavy-0"] != before["heavy-0"]
    assert {**after, "heavy-0": 0} == {**before, "heavy-0": 0}
    assert machine.queuectl("service", "diff") == ""
    # A pool that is gone is stopped, and its unit removed.
    configure(machine, "  heavy: {workers: 1, nice: 7}", "")
    machine.queuectl("service", "install")
    assert list(machine.workers()) == ["default-0", "default-1"]
    assert machine.code("test", "-e", change["path"]) == 1


def test_what_the_yaml_asks_for_is_what_systemd_does(machine: Machine) -> None:
    # Root alone can read it: systemd hands on what is in it.
    machine.write("/etc/queuectl/env", "GREETING=hello there\n")
    machine.sh("chmod 600 /etc/queuectl/env")
    configure(
        machine,
        "default: {workers: 3}",
        """default:
    workers: 1
    group: games
    nice: 5
    memory_max: 300MiB
    cpu_quota: 150%
    tasks_max: 99
    environment_file: /etc/queuectl/env
    directives: {LimitNOFILE: 4096, IOWeight: 50}""",
    )
    machine.queuectl("service", "install")
    shown = machine.show(
        unit("default-0"),
        *("Nice", "MemoryMax", "CPUQuotaPerSecUSec", "TasksMax", "LimitNOFILE", "IOWeight", "User", "Group"),
        *("EnvironmentFiles", "WatchdogUSec", "TimeoutStopUSec", "Restart", "RestartUSec", "KillMode", "OOMPolicy"),
        *("RestartPreventExitStatus", "StartLimitIntervalUSec", "RequiresMountsFor", "NotifyAccess"),
    )
    assert set(shown.pop("RequiresMountsFor").split()) == {HOME, f"{HOME}/queue.db", "/"}
    assert shown == {
        "Nice": "5",
        "MemoryMax": str(300 * 2**20),
        "CPUQuotaPerSecUSec": "1.500000s",
        "TasksMax": "99",
        "LimitNOFILE": "4096",
        "IOWeight": "50",
        "User": "queuectl",
        "Group": "games",
        "EnvironmentFiles": "/etc/queuectl/env (ignore_errors=no)",
        "WatchdogUSec": "5min",
        "TimeoutStopUSec": "31s",
        "Restart": "always",
        "RestartUSec": "200ms",
        "KillMode": "mixed",
        "OOMPolicy": "continue",
        "RestartPreventExitStatus": "78",
        "StartLimitIntervalUSec": "0",
        "NotifyAccess": "main",
    }
    job = machine.enqueue("sh", "-c", "echo $GREETING; nice; id -gn; ulimit -n")
    assert machine.wait_job(job, "completed")["output"] == "hello there\n5\ngames\n4096\n"


@pytest.mark.parametrize("profile", ["compatible", "strict"])
def test_a_job_finds_the_credentials_of_its_service(machine: Machine, profile: str) -> None:
    machine.write("/etc/queuectl/token", "hunter2-3b1f")
    machine.sh("chmod 600 /etc/queuectl/token")
    pool = f"workers: 1, hardening: {profile}, directives: {{LoadCredential: 'token:/etc/queuectl/token'}}"
    configure(machine, "default: {workers: 3}", f"default: {{{pool}}}")
    machine.queuectl("service", "install")
    for _ in range(2):
        job = machine.enqueue("sh", "-c", 'cat "$CREDENTIALS_DIRECTORY/token"')
        assert machine.wait_job(job, "completed")["output"] == "hunter2-3b1f"
        # The next program of the worker has them, too.
        machine.queuectl("worker", "reload")


def test_a_broken_configuration_ends_in_78_and_no_loop(machine: Machine) -> None:
    machine.queuectl("service", "install")
    configure(machine, "kill_grace: 1", "kill_grace: sometimes")
    machine.sh(f"systemctl restart --no-block {unit('default-0')}")
    until(lambda: machine.show(unit("default-0"), "ActiveState")["ActiveState"] == "failed", "it has failed")
    # By when systemd has started a killed one anew, and seen it fail, it would have started this one anew, too.
    machine.sh(f"systemctl kill --kill-who=main --signal=KILL {unit('default-1')}")
    once = {"ActiveState": "failed", "NRestarts": "1"}
    until(lambda: machine.show(unit("default-1"), *once) == once, "the other was started anew, and failed")
    shown = machine.show(unit("default-0"), "ActiveState", "ExecMainStatus", "NRestarts")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
    configure(machine, "kill_grace: sometimes", "kill_grace: 1")
    assert machine.states()["default-0"] == "failed"
    machine.queuectl("worker", "start")
    assert set(machine.states().values()) == {"running"}


def test_reloads_hurt_no_job_and_keep_the_pids(machine: Machine) -> None:
    configure(machine, "workers: 3", "workers: 2, concurrency: 10")
    machine.queuectl("service", "install")
    pids = machine.workers()
    # Twenty at once: ten that outlast all reloads, and ten after ten that end between them.
    wait = f"until [ -e {HOME}/go ]; do sleep 0.5; done; "
    lines = "".join(
        f"echo begin {number}; sleep 3; {wait if number < 10 else ''}echo end {number}; exit {number}\n"
        for number in range(60)
    )
    machine.run(QUEUECTL, "enqueue", "--max-retries", "0", "--lines", "-", given=lines)
    until(lambda: machine.document("status")["jobs"]["processing"] == 20, "twenty run")
    services = " ".join(unit(worker) for worker in pids)
    machine.sh(f"for i in $(seq 10); do systemctl kill --kill-who=main --signal=HUP {services}; sleep 0.1; done")
    machine.sh(f"for i in $(seq 10); do systemctl reload {services}; sleep 1; done")
    machine.run("touch", f"{HOME}/go")
    counts = ("pending", "processing")
    until(
        lambda: (jobs := machine.document("status")["jobs"]) and not any(jobs[each] for each in counts),
        "all have ended",
        60,
    )
    jobs = machine.document("list", "--limit", "0")
    assert {(job["state"], job["exit_code"], job["attempts"], job["output"]) for job in jobs} == {
        ("dead" if number else "completed", number, 1, f"begin {number}\nend {number}\n") for number in range(60)
    }
    assert machine.workers() == pids
    assert set(machine.states().values()) == {"running"}
    assert {machine.show(unit(worker), "NRestarts")["NRestarts"] for worker in pids} == {"0"}


def test_a_database_that_is_not_there_yet_is_waited_for(machine: Machine) -> None:
    configure(machine, "kill_grace: 1", "kill_grace: 1\ndatabase: sqlite:////srv/later/queue.db")
    machine.queuectl("service", "install", "--no-start")
    machine.run("systemctl", "start", "queuectl.target")
    status = until(lambda: machine.show(unit("default-0"), "StatusText")["StatusText"], "it says something")
    until(lambda: "wait" in machine.show(unit("default-0"), "StatusText")["StatusText"], f"not just {status}")
    assert machine.show(unit("default-0"), "ActiveState")["ActiveState"] == "active"
    machine.run("install", "-d", "-m", "700", "-o", "queuectl", "/srv/later")
    until(lambda: set(machine.states().values()) == {"running"}, "they run")
    machine.sh("rm -rf /srv/later")


def test_strict_is_strict_and_still_works(machine: Machine) -> None:
    machine.sh("mkdir -p /home/neighbour; echo secret > /home/neighbour/secret; chmod -R a+rX /home/neighbour")
    configure(machine, "user: queuectl", "user: queuectl, hardening: strict")
    configure(machine, "workers: 3", "workers: 1")
    # Where these sources lie in /tmp, a private one would hide the program too.
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(QUEUECTL)))
    machine.write(f"{UNITS}/queuectl-default@.service.d/sources.conf", f"[Service]\nBindReadOnlyPaths={checkout}\n")
    machine.queuectl("service", "install")
    path = f"{UNITS}/queuectl-default@.service"
    machine.run("systemd-analyze", "security", "--offline=true", "--threshold=30", path)
    script = (
        f"touch {HOME}/mine /tmp/mine && cp -p {HOME}/mine {HOME}/copy && python3 -c 'import socket; socket.socket()'"
    )
    job = machine.enqueue("sh", "-c", f"{script}; touch /usr/mine; sudo -n true; unshare -r true; exit 0")
    assert machine.wait_job(job, "completed")["exit_code"] == 0
    assert machine.code("test", "-e", f"{HOME}/copy") == 0
    assert machine.code("test", "-e", "/usr/mine") == 1
    assert machine.code("test", "-e", "/tmp/mine") == 1
    machine.sh(f"rm -r {UNITS}/queuectl-default@.service.d")


def test_compatible_takes_nothing_from_a_job(machine: Machine) -> None:
    configure(machine, "workers: 3", "workers: 1")
    machine.queuectl("service", "install")
    job = machine.enqueue("sh", "-c", "touch /tmp/seen; grep -e NoNewPrivs -e Seccomp: -e CapBnd /proc/self/status")
    output = machine.wait_job(job, "completed")["output"]
    shell = machine.sh(
        "setpriv --reuid queuectl --clear-groups grep -e NoNewPrivs -e Seccomp: -e CapBnd /proc/self/status"
    )
    assert output == shell
    assert machine.code("test", "-e", "/tmp/seen") == 0


def test_uninstall_leaves_the_machine_as_it_was(machine: Machine) -> None:
    before = machine.sh(LISTING)
    machine.queuectl("service", "install")
    machine.run("systemctl", "edit", "--full", "--force", "mine.service", EDITOR="touch", merge=True, code=None)
    dropin = f"{UNITS}/queuectl-default@.service.d/override.conf"
    machine.write(dropin, "[Service]\nNice=3\n")
    machine.run("systemctl", "daemon-reload")
    machine.queuectl("worker", "restart")
    assert machine.show(unit("default-0"), "Nice")["Nice"] == "3"
    assert machine.queuectl("service", "diff") == ""
    job = machine.enqueue("true")
    machine.wait_job(job, "completed")
    removed = machine.document("service", "uninstall")["removed"]
    assert len(removed) == 3
    assert machine.code("test", "-e", dropin) == 0
    machine.sh(f"rm -r {UNITS}/queuectl-default@.service.d; systemctl daemon-reload")
    assert machine.sh(LISTING) == before
    assert machine.run("systemctl", "list-units", "--all", "--no-legend", "queuectl*").strip() == ""
    assert machine.job(job)["state"] == "completed"
    assert machine.document("service", "uninstall")["removed"] == []


def test_who_installed_scaled_and_removed_it_is_on_record(machine: Machine) -> None:
    machine.queuectl("service", "install")
    machine.queuectl("service", "install")  # nothing to do is nothing done
    machine.queuectl("worker", "scale", "default", "1")
    machine.queuectl("service", "uninstall")
    entries = [(entry["actor"], entry["action"], entry["target"]) for entry in machine.document("audit")]
    assert sorted(entries) == [
        ("root", "service install", "systemd"),
        ("root", "service uninstall", "systemd"),
        ("root", "worker scale", "default=1"),
    ]


def test_what_somebody_else_wrote_is_neither_overwritten_nor_removed(machine: Machine) -> None:
    foreign = f"{UNITS}/queuectl.slice"
    machine.write(foreign, "[Unit]\nDescription=mine\n")
    said = machine.queuectl("service", "install", code=1, merge=True)
    assert f"{foreign}: is not from here" in said
    assert machine.sh(f"ls {UNITS}").split() == ["queuectl.slice"]
    machine.sh(f"rm {foreign}")
    machine.queuectl("service", "install", "--no-start")
    changed = f"{UNITS}/queuectl-default@.service"
    machine.sh(f"echo Nice=9 >> {changed}")
    before = machine.sh(f"cat {UNITS}/*", code=None)
    for command in ("install", "uninstall"):
        said = machine.queuectl("service", command, code=1, merge=True)
        assert f"{changed}: was changed by hand" in said
        assert machine.sh(f"cat {UNITS}/*", code=None) == before


def test_who_is_not_root_is_told_what_to_type(machine: Machine) -> None:
    machine.sh(f"chmod a+r {CONFIG}; mkdir -m 700 {HOME}; chown queuectl {HOME}")
    argv = ["setpriv", "--reuid", "queuectl", "--regid", "nogroup", "--clear-groups", QUEUECTL]
    said = machine.run(*argv, "service", "install", code=1, merge=True)
    assert "only root can write there" in said
    assert f"-m queuectl service install --home {HOME}" in said
    machine.queuectl("service", "install")
    said = machine.run(*argv, "worker", "stop", code=1, merge=True)
    assert "sudo" in said
    assert set(machine.states().values()) == {"running"}
    seen = json.loads(machine.run(*argv, "worker", "status", "--json"))
    assert [each["name"] for each in seen] == THREE


def test_a_directive_that_systemd_does_not_know_is_found_before_anything_is_written(machine: Machine) -> None:
    configure(machine, "workers: 3", "workers: 3, directives: {LimitNoFiles: 5}")
    said = machine.queuectl("service", "install", code=1, merge=True)
    assert "LimitNoFiles" in said
    assert machine.sh(f"ls {UNITS}") == ""


def test_settings_that_others_could_write_do_not_reach_root(machine: Machine) -> None:
    machine.queuectl("service", "install", "--no-start")
    as_user = ["setpriv", "--reuid", "queuectl", "--regid", "nogroup", "--clear-groups", QUEUECTL]
    machine.run("chmod", "a+r", CONFIG)
    machine.run(*as_user, "config", "set", "pools.default.directives", "{LimitCORE: infinity}")
    said = machine.queuectl("service", "install", code=78, merge=True)
    assert "expected a file that only root can write" in said
    # Their number is theirs to choose.
    machine.run(*as_user, "config", "reset", "--yes")
    machine.run(*as_user, "config", "set", "pools.default.workers", "1")
    assert len(machine.document("service", "install")["written"]) == 1


def test_a_home_of_the_wrong_owner_is_told(machine: Machine) -> None:
    machine.sh(f"mkdir -m 700 {HOME}")
    said = machine.queuectl("service", "install", code=78, merge=True)
    assert "service.user: expected root, whom /var/lib/queuectl belongs to, got queuectl" in said
    assert f"chown -R queuectl: {HOME}" in said
