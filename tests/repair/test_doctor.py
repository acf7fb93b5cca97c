"""The doctor names what is wrong, with the command that mends it."""

from __future__ import annotations

import errno
import io
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from real_home import QUEUECTL, Home, sleepers, until
from repair_home import close, findings, plant, run

from queuectl.config.installation import locate
from queuectl.doctor import kernel
from queuectl.doctor.filesystem import examine, mount_of
from queuectl.doctor.home import examine as examine_home
from queuectl.domain.findings import Severity
from queuectl.domain.settings import Settings


@pytest.fixture
def queue(home: Home) -> Home:
    home.enqueue("true", id="one")
    close(home)
    return home


def finding(home: Home, check: str, **settings: str) -> tuple[str, str, str | None]:
    found = findings(home, "doctor", **settings)[check]
    return found["severity"], found["found"], found["mend"]


def test_a_home_at_work_is_well(home: Home) -> None:
    home.worker()
    assert home.ended(home.enqueue("true")).state.value == "completed"
    os.chmod(f"{home.path}/config.d", 0o700)  # which the test's helper made, with a file in it
    os.chmod(f"{home.path}/config.d/10-test.yaml", 0o600)
    # This worker belongs to no manager, and there are two in the settings.
    said = run(home, "doctor", "--json", pools="")
    bad = {each["check"]: each for each in said.json if each["severity"] == "error"}
    assert set(bad) <= {"workers"}, bad
    assert {"python", "queuectl", "supervisor", "peewee", "sqlite", "clock", "space", "filesystem", "backups"} <= {
        each["check"] for each in said.json
    }


def test_supervised_workers_are_well(home: Home) -> None:
    home.cli("worker", "start", "--count", "2")
    said = run(home, "doctor", "--json")
    assert [each for each in said.json if each["severity"] != "ok"] == []
    assert said.code == 0
    assert "supervisord listens, pid " in next(each["found"] for each in said.json if each["check"] == "manager.socket")


def test_before_anything_there_is_nothing_wrong_and_nothing_made(home: Home) -> None:
    shutil.rmtree(home.path)
    assert run(home, "doctor").code == 0
    assert not os.path.exists(home.path)


def test_it_changes_nothing(queue: Home) -> None:
    run(queue, "db", "check")
    before = {path: (path.stat().st_mode, path.read_bytes()) for path in Path(queue.path).rglob("*") if path.is_file()}
    run(queue, "doctor")
    after = {path: (path.stat().st_mode, path.read_bytes()) for path in Path(queue.path).rglob("*") if path.is_file()}
    assert after == before


def test_errors_make_the_exit_code_and_warnings_do_not(queue: Home) -> None:
    assert finding(queue, "queues") == ("error", "1 pending, and no worker serves it", "queuectl worker start")
    assert run(queue, "doctor").code == 1
    assert "queuectl worker start" in run(queue, "doctor").out
    queue.cli("cancel", "one")
    plant(queue, "UPDATE jobs SET state = 'dead'")
    assert finding(queue, "jobs.dead")[0] == "warning"
    assert run(queue, "doctor").code == 0


def test_open_files_are_found_and_the_command_mends_them(queue: Home) -> None:
    os.chmod(f"{queue.path}/queue.db", 0o644)
    os.chmod(f"{queue.path}/output", 0o755)
    severity, found, mend = finding(queue, "home.permissions")
    assert (severity, found) == ("error", "open to others")
    assert mend == f"chmod -R go-rwx {queue.path}"
    subprocess.run(mend, shell=True, check=True)
    assert finding(queue, "home.permissions")[0] == "ok"


def test_files_of_another_and_links_are_found(queue: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give files away")
    os.chown(f"{queue.path}/write.lock", 65534, 65534)
    severity, _, mend = finding(queue, "home.owners")
    assert severity == "error"
    assert "chown -R root" in (mend or "")
    os.symlink("/etc/passwd", f"{queue.path}/output/link")
    assert finding(queue, "home.links")[0] == "warning"


def test_anothers_home_is_said(queue: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another")
    os.chmod(queue.path, 0o755)
    pid = os.fork()
    if pid == 0:  # in a child: one that became another can't become itself again
        try:
            os.setresuid(65534, 65534, 65534)
            found = {each.check: each for each in examine_home(locate(queue.path, None, False, {}), Settings())}
            said = found["home.owner"]
            os._exit(0 if said.severity is Severity.ERROR and said.mend == "sudo -u root …" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_directory_that_all_may_write_is_found(home: Home, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    home.environment["QUEUECTL_HOME"] = str(tmp_path / "open" / "home")
    home.cli("enqueue", "--", "true")
    assert finding(home, "home.above")[0] == "error"
    os.chmod(tmp_path / "open", 0o1777)
    assert "home.above" not in findings(home, "doctor")


def test_the_configurations_problems_are_all_there_and_the_rest_too(queue: Home) -> None:
    Path(queue.path, "queuectl.yaml").write_text("max_retry: 3\nworker_timeout: soon\n")
    said = run(queue, "doctor", "--json")
    problems = [each for each in said.json if each["check"] == "config"]
    assert [each["looked_at"].rpartition(":")[2] for each in problems] == ["1", "2"]
    assert {each["mend"] for each in problems} == {"queuectl config check"}
    assert any(each["check"] == "queues" for each in said.json)


def test_too_little_room_is_an_error(queue: Home) -> None:
    severity, found, _ = finding(queue, "space", min_free_space="1000TiB")
    assert severity == "error"
    assert "below min_free_space" in found


def test_a_damaged_database_has_its_restore_command(queue: Home) -> None:
    queue.cli("db", "backup")
    Path(queue.path, "queue.db").write_bytes(b"")
    severity, _, mend = finding(queue, "database")
    assert severity == "error"
    assert (mend or "").startswith(f"queuectl db restore {queue.path}/backups/queue-")


def test_a_clock_that_was_set_back_is_found(queue: Home) -> None:
    future = (time.time_ns() // 10**6) + 3_600_000
    plant(queue, f"UPDATE jobs SET updated_at = {future}")
    severity, found, _ = finding(queue, "clock")
    assert severity == "warning"
    assert "was set back" in found


def test_jobs_of_dead_workers_are_found(home: Home) -> None:
    worker = home.worker()
    home.enqueue("exec sleep 6161", id="orphan")
    until(lambda: sleepers("6161"), "the job to run")
    home.in_state("orphan", "processing")
    worker.kill()
    worker.wait()
    try:
        severity, found, mend = finding(home, "jobs.workers")
        assert (severity, mend) == ("error", "queuectl worker start")
        assert "orphan" in found
        assert finding(home, "jobs.leftovers")[0] == "warning"
    finally:
        for pid in sleepers("6161"):
            os.kill(pid, signal.SIGKILL)


def test_a_job_far_over_its_timeout_is_found_with_its_pid(home: Home) -> None:
    worker = home.worker()
    home.enqueue("exec sleep 6162", id="late", timeout=3600)
    (pid,) = until(lambda: sleepers("6162"), "the job to run")
    home.in_state("late", "processing")
    worker.send_signal(signal.SIGSTOP)
    plant(home, "UPDATE attempts SET started_at = started_at - 7200000")
    severity, found, mend = finding(home, "jobs.stuck")
    worker.send_signal(signal.SIGCONT)
    assert (severity, mend) == ("error", f"sudo kill -9 {pid}")
    assert "over its timeout" in found


def test_a_socket_that_nobody_answers_is_found(queue: Home) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{queue.path}/supervisor/supervisor.sock")
    os.chmod(f"{queue.path}/supervisor/supervisor.sock", 0o600)
    severity, found, mend = finding(queue, "manager.socket")
    assert (severity, mend) == ("warning", "queuectl worker start")
    assert "nobody answers" in found


def test_missing_and_failed_workers_are_found(home: Home) -> None:
    home.cli("worker", "start", "--count", "2")
    pid = next(each["pid"] for each in home.document("worker", "status") if each["name"] == "default-1")
    Path(home.path, "config.d", "99-test.yaml").write_text("pools: {default: {workers: 3}}\n")
    severity, found, mend = finding(home, "workers")
    assert (severity, found, mend) == ("error", "2 of 3 workers run", "queuectl worker start")
    assert pid


def test_a_limit_that_forbids_marks_is_found(queue: Home) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_RTTIME, (10**9, 10**9))

    done = subprocess.run(
        [QUEUECTL, "doctor"], env=queue.environment, preexec_fn=limited, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "LimitRTTIME=infinity" in done.stdout


def test_old_backups_are_found(queue: Home) -> None:
    assert finding(queue, "backups")[0] == "ok"
    Path(queue.path, "backups", "queue-20260101T000000Z.db").write_text("")
    severity, found, mend = finding(queue, "backups")
    assert (severity, mend) == ("warning", "queuectl db backup")
    assert "there should be one every 1d" in found
    assert finding(queue, "backups", backup_every="0")[0] == "ok"
    queue.cli("db", "backup")
    assert finding(queue, "backups")[0] == "ok"


def test_a_long_log_is_found(queue: Home) -> None:
    reader = queue.queue
    reader.database.rows("BEGIN")
    reader.jobs().__next__()
    with open(f"{queue.path}/queue.db-wal", "r+b") as log:
        size = os.fstat(log.fileno()).st_size
        os.truncate(log.fileno(), 300 * 2**20)
    assert finding(queue, "database.log")[0] == "warning"
    os.truncate(f"{queue.path}/queue.db-wal", size)
    reader.database.rows("ROLLBACK")


def test_watches_that_are_used_up_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    # To use them up for real would keep the workers of all other tests from starting.
    monkeypatch.setattr(kernel, "INotify", refused)
    (found,) = (each for each in kernel.examine(Settings()) if each.check == "limits.inotify")
    assert found.severity is Severity.ERROR
    assert "a worker can't start" in found.found
    assert "max_user_instances" in (found.mend or "")


MOUNTS = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /srv rw - nfs4 server:/export rw
24 22 0:6 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
25 22 0:7 / /ro ro - ext4 /dev/sdc1 ro
26 22 0:8 / /run rw - tmpfs tmpfs rw
a line that is none
27 22 0:9 / /srv/local\\040disk/over rw - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "read_only"),
    [
        ("/", "ext4", False),
        ("/home/x", "ext4", False),
        ("/srvother", "ext4", False),
        ("/srv", "nfs4", False),
        ("/srv/q", "nfs4", False),
        ("/srv/local disk/q", "xfs", False),
        ("/srv/local disk/over/q", "overlay", False),
        ("/ro/q", "ext4", True),
        ("/run/q", "tmpfs", False),
    ],
)
def test_the_mount_of_a_path(path: str, kind: str, read_only: bool) -> None:
    found = mount_of(path, MOUNTS)
    assert found is not None
    assert (found.kind, found.read_only) == (kind, read_only)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("nfs", "error"),
        ("nfs4", "error"),
        ("cifs", "error"),
        ("smb3", "error"),
        ("9p", "error"),
        ("fuse.sshfs", "error"),
        ("overlay", "warning"),
        ("tmpfs", "warning"),
        ("ext4", "ok"),
        ("xfs", "ok"),
        ("btrfs", "ok"),
        ("zfs", "ok"),
        ("fuseblk", "ok"),
    ],
)
def test_which_file_systems_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, severity: str
) -> None:
    monkeypatch.setattr("builtins.open", _instead(f"22 1 8:1 / / rw - {kind} source rw\n"))
    found = next(iter(examine(str(tmp_path), 0)))
    assert found.severity is Severity(severity)
    assert found.severity is Severity.OK or found.mend


def _instead(text: str) -> object:
    return lambda *_, **__: io.StringIO(text)
