"""Starting a command: what it gets, and what it is refused for."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import pytest
from processes import Runner

from queuectl.domain.intake import MAX_COMMAND
from queuectl.execution.environment import inherited
from queuectl.execution.spawn import CannotRun, NoRoom, how_it_ended


def test_a_text_is_the_shells_and_an_argv_is_not(runner: Runner) -> None:
    assert runner.run("echo $((1+1)) | tr 2 3; echo err >&2") == "3\nerr\n"
    assert runner.run(("printf", "[%s]", "$HOME", "a b", "", "*")) == "[$HOME][a b][][*]"


def test_a_program_that_is_not_there_is_127(runner: Runner) -> None:
    for argv in (("no-such-program",), ("/no/such",), ("./nothing",)):
        with pytest.raises(CannotRun, match="no such program") as caught:
            runner.start(argv)
        assert caught.value.exit_code == 127


def test_a_program_that_is_not_executable_is_126(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "broken").write_text("no program\n")
    (tmp_path / "broken").chmod(0o755)
    for argv, words in ((("./plain",), "Permission denied"), (("./broken",), "Exec format"), (("/tmp",), "Permission")):
        with pytest.raises(CannotRun, match=words) as caught:
            runner.start(argv)
        assert caught.value.exit_code == 126
        assert argv[0] in str(caught.value)


def test_a_working_directory_that_is_not_there_is_126_and_named(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, words in (("gone", "No such file"), ("file", "Not a directory")):
        with pytest.raises(CannotRun, match=f"{name}: the working directory: {words}") as caught:
            runner.start("true", cwd=str(tmp_path / name))
        assert caught.value.exit_code == 126


def test_a_working_directory_that_may_not_be_entered_is_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another")
    os.makedirs("/tmp/queuectl-test-closed", 0o700, exist_ok=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setresuid(65534, 65534, 65534)
            runner = Runner("/tmp/queuectl-test-closed")
            with pytest.raises(CannotRun, match="closed: the working directory: Permission denied"):
                _spawn_into_null(runner.directory)
            code = 0
        finally:
            os._exit(code)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.rmdir("/tmp/queuectl-test-closed")


def _spawn_into_null(cwd: str) -> int:
    from queuectl.domain.job import Spec
    from queuectl.execution.mark import mark_of
    from queuectl.execution.spawn import spawn

    return spawn(Spec("true", cwd=cwd), mark_of("u", 1, 1), {}, os.open(os.devnull, os.O_WRONLY))


def test_arguments_and_environment_that_are_too_long_are_126(runner: Runner) -> None:
    huge = {f"V{n}": "x" * (MAX_COMMAND - 10) for n in range(60)}
    with pytest.raises(CannotRun, match="Argument list too long") as caught:
        runner.start("true", env=huge)
    assert caught.value.exit_code == 126


def test_the_longest_command_of_the_door_runs(runner: Runner) -> None:
    assert runner.run("echo ok #" + "x" * (MAX_COMMAND - 9)) == "ok\n"
    words = tuple(["printf", "%.1s"] + ["y" * 1000] * 100)
    assert runner.run(words) == "y" * 100


def test_a_host_without_room_is_not_the_jobs_fault(runner: Runner) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = len(os.listdir("/proc/self/fd"))
    for text in (None, "input"):
        fds: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors + 20, limits[1]))
            while True:
                fds.append(os.dup(0))
        except OSError:
            os.close(fds.pop())  # for the file of the output
        try:
            with pytest.raises(NoRoom, match="Too many open files"):
                runner.start("true", stdin=text)
        finally:
            for fd in fds:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_stdin_is_the_text_or_nothing(runner: Runner) -> None:
    assert runner.run("cat; readlink /proc/self/fd/0") == "/dev/null\n"
    assert runner.run("cat", stdin="") == ""
    text = "zeile é\n" * 100_000
    assert runner.run("cat", stdin=text) == text
    assert runner.run("head -n1; sed -n 3p; tail -n1", stdin="\n".join("abcdef")).startswith("a\n")
    assert runner.run("true", stdin=text) == ""  # nobody has to read it


def test_it_leads_a_session_of_its_own_without_a_terminal(runner: Runner) -> None:
    script = "import os; print(os.getpid() == os.getsid(0) == os.getpgrp(), os.getppid()); open('/dev/tty')"
    pid = runner.start((sys.executable, "-S", "-c", script))
    assert os.waitpid(pid, 0)[1] != 0
    assert runner.output().startswith(f"True {os.getpid()}\n")
    assert "No such device or address" in runner.output()


def test_signals_are_at_their_defaults_and_none_is_blocked(runner: Runner) -> None:
    ignored, blocked = signal.signal(signal.SIGUSR2, lambda *_: None), signal.SIGPIPE
    assert signal.getsignal(blocked) is signal.SIG_IGN  # Python's own
    try:
        status = runner.run("cat /proc/self/status")
    finally:
        signal.signal(signal.SIGUSR2, ignored)
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert int(fields["SigIgn"], 16) == 0
    assert int(fields["SigCgt"], 16) == 0
    assert int(fields["SigBlk"], 16) == 0


def test_the_umask_lets_others_read_whatever_the_workers_is(runner: Runner) -> None:
    before = os.umask(0o077)
    try:
        assert runner.run("umask; exec >&2; touch made; stat -c %a made") == "0022\n644\n"
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_no_descriptor_but_the_three_is_inherited(runner: Runner) -> None:
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        script = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])"
        assert runner.run((sys.executable, "-S", "-c", script), stdin="x") == "[0, 1, 2]\n"
    finally:
        os.close(leak)


def test_both_streams_are_the_one_file_in_order(runner: Runner) -> None:
    lines = runner.run("for n in 1 2 3 4 5; do echo o$n; echo e$n >&2; done").split()
    assert lines == [f"{stream}{n}" for n in range(1, 6) for stream in "oe"]


def test_the_environment_is_what_was_given_and_nothing_else(runner: Runner) -> None:
    from queuectl.domain.job import Spec
    from queuectl.execution.spawn import spawn

    fd = os.open(runner.output_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    environment = {b"A": b"", b"B": "é=\n".encode(), b"PATH": b"/usr/bin:/bin"}
    os.waitpid(spawn(Spec("", argv=("env", "-0")), runner.mark, environment, fd), 0)
    os.close(fd)
    with open(runner.output_file, "rb") as file:
        assert set(file.read().split(b"\0")) - {b""} == {b"A=", "B=é=\n".encode(), b"PATH=/usr/bin:/bin"}


def test_what_a_job_inherits_leaves_out_what_is_the_workers() -> None:
    own = {
        "NOTIFY_SOCKET",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
    }
    own |= {"SUPERVISOR_ENABLED", "SUPERVISOR_SERVER_URL", "QUEUECTL_MAX_RETRIES", "QUEUECTL_RUN", "QUEUECTL_JOB_ID"}
    kept = {"QUEUECTL_HOME", "QUEUECTL_CONFIG", "PATH", "HOME", "LANG", "LISTENER", "MY_QUEUECTL_X", "queuectl_x"}
    assert inherited(dict.fromkeys(own | kept, "v")) == dict.fromkeys(kept, "v")


def test_the_kernel_should_end_a_job_before_its_worker(runner: Runner) -> None:
    with open("/proc/self/oom_score_adj") as file:
        own = int(file.read())
    seen = runner.run("cat /proc/self/oom_score_adj")
    assert int(seen) == min(1000, own + 200)
    with open("/proc/self/oom_score_adj") as file:
        assert int(file.read()) == own


def test_spawning_leaves_no_descriptor_behind(runner: Runner) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        runner.run("cat", stdin="x")
        with pytest.raises(CannotRun):
            runner.start(("no-such-program",), stdin="x")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("exit 0", (0, None, None)),
        ("exit 3", (3, None, "exit 3")),
        ("exit 255", (255, None, "exit 255")),
        ("kill -KILL $$", (None, 9, "killed by SIGKILL")),
        ("kill -TERM $$", (None, 15, "killed by SIGTERM")),
        ("kill -40 $$", (None, 40, "killed by signal 40")),
        ("kill -PIPE $$", (None, 13, "killed by SIGPIPE")),
    ],
)
def test_how_it_ended(runner: Runner, command: str, end: tuple[int | None, int | None, str | None]) -> None:
    assert how_it_ended(os.waitpid(runner.start(command), 0)[1]) == end


def test_a_dumped_core_is_a_death_by_its_signal() -> None:
    assert how_it_ended(11 | 0x80) == (None, 11, "killed by SIGSEGV")
