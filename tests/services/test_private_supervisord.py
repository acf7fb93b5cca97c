"""The manager against a real supervisord."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from signal import Signals

import psutil
import pytest
from real_home import alive
from worker_home import Home, eventually, units, worker_home

from queuectl.domain.settings import Pool
from queuectl.errors import ConfigError, ServiceError
from queuectl.services.escalation import Step
from queuectl.services.manager import WorkerUnit

FORCE = (Step(0, Signals.SIGQUIT), Step(5, Signals.SIGKILL))


def supervisorctl(home: Home, *words: str) -> str:
    argv = [sys.executable, "-m", "supervisor.supervisorctl", "-c", f"{home.path}/supervisor/supervisord.conf", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout


def kill(pid: int | None, signum: Signals = Signals.SIGKILL) -> None:
    assert pid is not None
    os.kill(pid, signum)


def gone(pid: int | None) -> bool:
    assert pid is not None
    return not alive(pid)


def test_start_and_stop(home: Home) -> None:
    home.manager.start(units(0, 1))
    pids = home.wait_running("default-0", "default-1")
    daemon = home.daemon()
    first, _ = home.manager.status()
    assert (first.name, first.pool, first.instance, first.state) == ("default-0", "default", 0, "running")
    assert first.started_at is not None
    assert abs(first.started_at / 1000 - time.time()) < 60
    home.manager.stop(units(0, 1))
    assert all(gone(pid) for pid in [*pids.values(), daemon])
    assert home.manager.status() == []
    assert not home.processes()
    # No socket and no pidfile is left.
    assert sorted(os.listdir(f"{home.path}/supervisor")) == ["lock", "supervisord.conf"]
    assert home.events("default-0") == ["SIGTERM"]
    assert list(home.manager.logs(WorkerUnit("default", 0), 10)) == [f"default-0 begins, pid {pids['default-0']}"]


def test_without_a_daemon_status_is_empty_and_stop_does_nothing(home: Home) -> None:
    assert home.manager.status() == []
    home.manager.stop(units(0))
    home.manager.signal(units(0), Signals.SIGUSR2)
    assert os.listdir(f"{home.path}/supervisor") == []


def test_starting_again_changes_nothing(home: Home) -> None:
    home.manager.start(units(0, 1))
    pids = home.wait_running("default-0", "default-1")
    daemon = home.daemon()
    home.manager.start(units(0, 1))
    home.manager.start(units(1))
    assert home.pids() == pids
    assert home.daemon() == daemon


def test_more_and_fewer_leave_the_others_alone(home: Home) -> None:
    home.manager.start(units(0))
    before = home.wait_running("default-0")
    home.manager.start([*units(1, 2), *units(0, pool="other")])
    more = home.wait_running("default-0", "default-1", "default-2", "other-0")
    assert more["default-0"] == before["default-0"]
    home.manager.stop(units(2, 1))
    assert home.pids() == {name: more[name] for name in ("default-0", "other-0")}


def test_a_changed_setting_reaches_new_workers_and_disturbs_no_other(home: Home) -> None:
    home.manager.start(units(0))
    before = home.wait_running("default-0")
    home.site = home.site._replace(shutdown_timeout=99)
    home.manager.start(units(0, 1))
    assert home.wait_running("default-0", "default-1")["default-0"] == before["default-0"]
    home.manager.restart(units(0))
    after = home.wait_running("default-0", "default-1")
    assert after["default-0"] != before["default-0"]
    with open(f"{home.path}/supervisor/supervisord.conf") as file:
        assert file.read().count("stopwaitsecs=110") == 2


def test_restart_of_all_keeps_the_daemon(home: Home) -> None:
    home.manager.start(units(0, 1))
    before = home.wait_running("default-0", "default-1")
    daemon = home.daemon()
    home.manager.restart(units(0, 1))
    after = home.wait_running("default-0", "default-1")
    assert not set(before.values()) & set(after.values())
    assert home.daemon() == daemon


def test_restart_without_a_daemon_starts(home: Home) -> None:
    home.manager.restart(units(0))
    home.wait_running("default-0")


def test_a_refused_configuration_is_not_tried_again(home: Home) -> None:
    home.write("mode", "refuse")
    home.manager.start(units(0))
    eventually(lambda: home.states() == {"default-0": "failed"})
    process = home.process("default-0")
    assert process.pid is None
    assert "78" in process.detail
    assert sum("begins" in line for line in home.manager.logs(WorkerUnit("default", 0), 100)) == 1
    # Repaired, a start is enough.
    home.write("mode", "")
    home.manager.start(units(0))
    home.wait_running("default-0")


def test_any_other_exit_is(home: Home) -> None:
    home.manager.start(units(0))
    pid = home.wait_running("default-0")["default-0"]
    kill(pid, Signals.SIGTERM)  # exit 0, and nobody told supervisord
    eventually(lambda: home.pids().get("default-0") not in (None, pid))


def test_a_program_that_is_not_there(home: Home) -> None:
    home.site = home.site._replace(program=("/nonexistent/queuectl",))
    home.manager.start(units(0))
    eventually(lambda: "can't find command" in home.process("default-0").detail)
    assert home.process("default-0").state == "starting"
    home.manager.stop(units(0))
    assert home.manager.status() == []


def test_stop_waits_for_the_job(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    pid = home.wait_running("default-0")["default-0"]
    stopping = threading.Thread(target=home.manager.stop, args=(units(0),))
    stopping.start()
    eventually(lambda: home.events("default-0") == ["SIGTERM"])
    assert home.states() == {"default-0": "stopping"}
    assert stopping.is_alive()
    home.write("finish")
    stopping.join(15)
    assert not stopping.is_alive()
    assert gone(pid)
    assert home.events("default-0") == ["SIGTERM"]


def test_a_second_term_hurries(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    home.wait_running("default-0")
    home.manager.stop(units(0), [Step(0.3, Signals.SIGTERM)])
    assert home.events("default-0") == ["SIGTERM", "SIGTERM"]


def test_force_sends_quit(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    home.wait_running("default-0")
    home.manager.stop(units(0), FORCE)
    assert home.events("default-0")[-1] == "SIGQUIT"
    assert not home.processes()


def test_what_heeds_nothing_is_killed(home: Home) -> None:
    home.write("mode", "stubborn")
    home.manager.start(units(0))
    home.wait_running("default-0")
    home.manager.stop(units(0), [Step(0, Signals.SIGQUIT), Step(0.5, Signals.SIGKILL)])
    assert not home.processes()


def test_supervisord_kills_what_outlasts_its_time(home: Home) -> None:
    home.site = home.site._replace(shutdown_timeout=-10, kill_grace=1)  # stopwaitsecs 1
    home.write("mode", "stubborn")
    home.manager.start(units(0))
    home.wait_running("default-0")
    home.manager.stop(units(0))
    assert not home.processes()


def test_force_overtakes_a_patient_stop(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    home.wait_running("default-0")
    patient = threading.Thread(target=home.manager.stop, args=(units(0),))
    patient.start()
    eventually(lambda: home.states() == {"default-0": "stopping"})
    home.manager.stop(units(0), FORCE)
    patient.join(10)
    assert not patient.is_alive()
    assert not home.processes()


def test_a_start_during_a_stop_has_the_last_word(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    before = home.wait_running("default-0")["default-0"]
    stopping = threading.Thread(target=home.manager.stop, args=(units(0),))
    stopping.start()
    eventually(lambda: home.states() == {"default-0": "stopping"})
    starting = threading.Thread(target=home.manager.start, args=(units(0),))
    starting.start()
    home.write("finish")
    stopping.join(15)
    starting.join(15)
    assert not stopping.is_alive()
    assert not starting.is_alive()
    assert home.wait_running("default-0")["default-0"] != before


def test_signals_reach_the_worker(home: Home) -> None:
    home.manager.start(units(0))
    pids = home.wait_running("default-0")
    home.manager.signal(units(0, 7), Signals.SIGUSR2)
    home.manager.reload(units(0))
    eventually(lambda: sorted(home.events("default-0")) == ["SIGHUP", "SIGUSR2"])
    assert home.pids() == pids


def test_concurrent_starts_make_one_daemon(home: Home) -> None:
    errors: list[BaseException] = []

    def start(number: int) -> None:
        try:
            home.manager.start(units(number, 9))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    home.wait_running(*(f"default-{number}" for number in (0, 1, 2, 3, 4, 9)))
    assert len(home.processes("supervisord.conf")) == 1


def test_concurrent_starts_and_stops_end_in_order(home: Home) -> None:
    errors: list[BaseException] = []

    def churn(number: int) -> None:
        try:
            for _ in range(3):
                home.manager.start(units(number))
                home.manager.stop(units(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert home.manager.status() == []
    eventually(lambda: not home.processes())


def test_after_the_daemon_was_killed_a_start_leaves_no_duplicates(home: Home) -> None:
    home.manager.start(units(0, 1))
    before = home.wait_running("default-0", "default-1")
    kill(home.daemon())
    assert os.path.exists(f"{home.path}/supervisor/supervisor.sock")
    eventually(lambda: home.manager.status() == [])
    home.manager.start(units(0, 1))
    after = home.wait_running("default-0", "default-1")
    assert not set(before.values()) & set(after.values())
    eventually(lambda: all(gone(pid) for pid in before.values()))
    assert len(home.processes("supervisord.conf")) == 1
    assert {process.pid for process in home.processes("--pool")} == set(after.values())


def test_a_pidfile_whose_number_is_somebody_elses_now_is_no_daemon(home: Home) -> None:
    home.write("supervisor/supervisord.pid", f"{os.getpid()}\n")
    home.manager.start(units(0))
    home.wait_running("default-0")


def test_a_daemon_that_lost_its_socket_is_not_doubled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.manager.start(units(0))
    home.wait_running("default-0")
    monkeypatch.setattr("queuectl.services.supervisord.daemon.PATIENCE", 0.3)
    os.unlink(f"{home.path}/supervisor/supervisor.sock")
    with pytest.raises(ServiceError, match=f"pid {home.daemon()}.*runs for this home") as caught:
        home.manager.start(units(0))
    assert caught.value.hint is not None
    assert f"kill {home.daemon()}" in caught.value.hint


def test_a_start_waits_for_a_daemon_that_is_ending(home: Home) -> None:
    home.write("mode", "busy")
    home.manager.start(units(0))
    home.wait_running("default-0")
    before = home.daemon()
    supervisorctl(home, "shutdown")
    eventually(lambda: home.events("default-0") == ["SIGTERM"])
    assert home.manager.status() == []
    starting = threading.Thread(target=home.manager.start, args=(units(1),))
    starting.start()
    home.write("finish")
    starting.join(20)
    home.wait_running("default-1")
    assert home.daemon() != before
    assert len(home.processes("supervisord.conf")) == 1


def test_a_silent_daemon_is_an_error_and_no_hang(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queuectl.services.supervisord.rpc.ANSWER", 0.3)
    home.manager.start(units(0))
    home.wait_running("default-0")
    daemon = home.daemon()
    kill(daemon, Signals.SIGSTOP)
    try:
        with pytest.raises(ServiceError, match="expected an answer from supervisord"):
            home.manager.status()
    finally:
        kill(daemon, Signals.SIGCONT)


def test_something_else_on_the_socket_is_an_error(home: Home) -> None:
    path = f"{home.path}/supervisor/supervisor.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.settimeout(5)
                request = b""
                while b"</methodCall>" not in request:
                    request += peer.recv(10_000)
                peer.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ServiceError, match="expected an answer from supervisord"):
            home.manager.status()
        thread.join(10)


def test_a_daemon_that_can_not_start_says_why(home: Home) -> None:
    os.rmdir(f"{home.path}/logs")
    with pytest.raises(ServiceError, match="supervisord didn't start: exit 2") as caught:
        home.manager.start(units(0))
    assert "does not exist" in str(caught.value)
    assert caught.value.hint is not None
    assert "supervisord.conf" in caught.value.hint


def test_a_home_that_can_not_be_written_is_said(home: Home) -> None:
    home.site = home.site._replace(supervisor=f"{home.path}/none")
    with pytest.raises(ServiceError, match="none/lock: can't be written"):
        home.manager.start(units(0))


def test_supervisorctl_agrees(home: Home) -> None:
    home.manager.start(units(0, 1))
    pids = home.wait_running("default-0", "default-1")
    lines = supervisorctl(home, "status").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["queuectl-default-0", "RUNNING"],
        ["queuectl-default-1", "RUNNING"],
    ]
    assert [int(line.split("pid ")[1].split(",")[0]) for line in lines] == [*pids.values()]
    assert "begins" in supervisorctl(home, "tail", "queuectl-default-0")
    # A stop by hand is seen, and a start brings it back.
    supervisorctl(home, "stop", "queuectl-default-1")
    assert home.states() == {"default-0": "running", "default-1": "stopped"}
    home.manager.start(units(0, 1))
    assert home.wait_running("default-0", "default-1")["default-0"] == pids["default-0"]


def test_it_starts_with_what_it_renders(home: Home) -> None:
    path = f"{home.path}/supervisor/supervisord.conf"
    rendered = home.manager.render(units(0))
    assert rendered.keys() == {path}
    home.manager.start(units(0))
    assert Path(path).read_text() == rendered[path]
    assert home.manager.render(units(0, 1)) != rendered


def test_a_limit_that_it_can_not_hold_is_refused_but_for_stopping(home: Home) -> None:
    home.manager.start(units(0))
    home.wait_running("default-0")
    pool = Pool("default", memory_max=2**30, nice=-1, directives={"LimitNOFILE": "9"})
    home.site = home.site._replace(pools={"default": pool})
    with pytest.raises(ConfigError) as caught:
        home.manager.start(units(0))
    assert [problem.where.rpartition("default.")[2] for problem in caught.value.problems] == [
        "nice",
        "memory_max",
        "directives.LimitNOFILE",
    ]
    home.manager.stop(units(0))
    assert not home.processes()


def test_a_pool_can_be_nice(home: Home) -> None:
    home.site = home.site._replace(pools={"default": Pool("default", nice=7)})
    home.manager.start(units(0))
    pid = home.wait_running("default-0")["default-0"]
    assert psutil.Process(pid).nice() == 7


def test_all_is_for_the_owner_alone(home: Home) -> None:
    old = os.umask(0o002)
    try:
        home.manager.start(units(0))
        home.wait_running("default-0")
    finally:
        os.umask(old)
    for top, _, files in os.walk(home.path):
        assert os.stat(top).st_mode & 0o077 == 0, top
        for name in files:
            assert os.stat(f"{top}/{name}").st_mode & 0o177 == 0, name


def test_the_environment_is_the_shells_less_queuectls(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUECTL_MAX_RETRIES", "7")
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("COLOUR", "100%")
    home.manager.start(units(0))
    pid = home.wait_running("default-0")["default-0"]
    env = psutil.Process(pid).environ()
    assert env["COLOUR"] == "100%"
    assert not [name for name in env if name.startswith("QUEUECTL_")]
    assert "PYTHONUTF8" not in env


def test_a_module_in_the_working_directory_is_not_imported(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "supervisor.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    home.manager.start(units(0))
    home.wait_running("default-0")


@pytest.mark.parametrize(
    "name", ["a b ;c #d", "100% %(here)s %%", 'it\'s "quoted"', "häuser 語 \U0001f600", "~", "l" * 120]
)
def test_odd_homes(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    top = tmp_path if len(name) > 100 else Path(tempfile.mkdtemp(prefix="q", dir="/tmp"))
    with tempfile.TemporaryDirectory(dir="/tmp") as run, worker_home(f"{top}/{name}") as home:
        monkeypatch.setenv("XDG_RUNTIME_DIR", run)
        home.manager.start(units(0))
        pid = home.wait_running("default-0")["default-0"]
        home.manager.start(units(1))
        assert home.wait_running("default-0", "default-1")["default-0"] == pid
        assert list(home.manager.logs(WorkerUnit("default", 0), 1)) == [f"default-0 begins, pid {pid}"]
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        assert supervisorctl(home, "status").count("RUNNING") == 2
        home.manager.stop(units(0, 1))
        assert not home.processes()
        assert os.listdir(run) == []
    shutil.rmtree(top)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another")
def test_root_starts_the_workers_of_a_home_as_its_owner(home: Home) -> None:
    os.chmod(os.path.dirname(home.path), 0o755)
    for top in (home.path, *(f"{home.path}/{name}" for name in os.listdir(home.path))):
        os.chown(top, 65534, 65534)
    # No stand-in: nobody may not be allowed to read the interpreter that runs the tests.
    home.site = home.site._replace(user="nobody", program=("/bin/sh", "-c", "exec sleep 100"))
    home.manager.start(units(0))
    eventually(lambda: home.pids()["default-0"] and len(psutil.Process(home.pids()["default-0"]).cmdline()) == 2)
    pid = home.pids()["default-0"]
    assert psutil.Process(pid).uids().real == 65534
    assert psutil.Process(pid).environ()["USER"] == "nobody"
    assert psutil.Process(home.daemon()).uids().real == 65534
    for top, _, files in os.walk(home.path):
        assert {os.lstat(f"{top}/{file}").st_uid for file in files} <= {65534}, top
    home.manager.stop(units(0))
    assert not home.processes()


def test_status_is_quick_for_it_loads_no_supervisor(home: Home) -> None:
    home.manager.start(units(0))
    home.wait_running("default-0")
    code = (
        "import sys; from queuectl.services.manager import Site\n"
        "from queuectl.services.supervisord.manager import PrivateSupervisord\n"
        f"assert PrivateSupervisord(Site(*{tuple(home.site)!r})).status()\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('supervisor', 'psutil', 'yaml', 'peewee')]"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
