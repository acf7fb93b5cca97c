"""The tree of an attempt: all of it is found, whatever it does, and all of it ends."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import Runner, wait_until

from queuectl.execution import tree
from queuectl.execution.identity import Stat, boot_id, host_id, stat_of
from queuectl.execution.mark import VARIABLE, branded, carries, mark_of
from queuectl.execution.tree import Termination, members


def said(runner: Runner, count: int) -> list[int]:
    """The pids that the attempt has printed, once there are as many."""
    wait_until(lambda: runner.output().count("\n") >= count)
    return [int(line) for line in runner.output().split()]


ESCAPES = {
    "plainly": "sleep 60 & echo $!; wait",
    "out of the environment": "env -i sh -c 'echo $$; exec sleep 60' & wait",
    "out of the session": "setsid sh -c 'echo $$; exec sleep 60' & wait",
    "from its parents": "(setsid sh -c 'sh -c \"echo \\$\\$; exec sleep 60\" &' &) ; sleep 0.2; exit 0",
    "from all at once": "(env -i setsid sh -c 'env -i setsid sh -c \"echo \\$\\$; exec sleep 60\" &' &) ; exit 0",
    "with a changed name": "exec -a kworker sleep 1 2>/dev/null; sh -c 'echo $$; cd /; exec sleep 60' & wait",
}


@pytest.mark.parametrize("how", ESCAPES)
def test_what_gets_away_is_found_and_ended(runner: Runner, how: str) -> None:
    if how == "with a changed name":
        runner.start(("bash", "-c", "(echo $BASHPID; exec -a '[kworker/0:1]' sleep 60) & wait"))
    else:
        runner.start(ESCAPES[how])
    (pid,) = said(runner, 1)
    assert pid in members(runner.mark)
    runner.end()
    stat = stat_of(pid)
    assert stat is None or stat.dead


def test_members_are_named_by_pid_and_start_and_this_process_is_none(runner: Runner) -> None:
    pid = runner.start(("sleep", "60"))
    stat = stat_of(pid)
    assert stat is not None
    assert members(runner.mark) == {pid: stat.starttime}
    assert os.getpid() not in members(runner.mark)
    assert members(mark_of("other", 1, 1)) == {}


def test_the_mark_is_in_place_from_the_first_instant(runner: Runner) -> None:
    for _ in range(30):
        pid = runner.start(("sleep", "60"))
        assert pid in members(runner.mark)
        os.kill(pid, signal.SIGKILL)


def test_marks_differ_in_both_of_their_parts() -> None:
    names = [("a", 1, 1), ("a", 1, 2), ("a", 2, 1), ("b", 1, 1), ("a", 11, 1), ("a", 1, 11)]
    marks = [mark_of(*name) for name in names]
    assert len({mark.text for mark in marks}) == len({mark.number for mark in marks}) == len(names)
    assert marks == [mark_of(*name) for name in names]  # whoever recovers it makes the same
    for mark in marks:
        assert 2**62 <= mark.number < 2**63 - 1


def test_branding_is_undone_and_a_hard_limit_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    with branded(mark_of("u", 1, 1)):
        assert resource.getrlimit(resource.RLIMIT_RTTIME)[0] == mark_of("u", 1, 1).number
    assert resource.getrlimit(resource.RLIMIT_RTTIME) == before
    script = (
        "import resource; from queuectl.execution.mark import *\n"
        "resource.setrlimit(resource.RLIMIT_RTTIME, (5 * 10**6, 10**7))\n"
        "with branded(mark_of('u', 1, 1)): print(resource.getrlimit(resource.RLIMIT_RTTIME))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout == "(5000000, 10000000)\n"


def test_the_variable_alone_is_a_mark_too_and_only_the_whole_of_it(runner: Runner) -> None:
    mark = mark_of("variable", 1, 1)
    with subprocess.Popen(["sleep", "60"], env={VARIABLE: mark.text}) as process:
        try:
            wait_until(lambda: carries(process.pid, mark))
            assert process.pid in members(mark)
            assert not carries(process.pid, mark_of("variable", 1, 11))
            assert not carries(process.pid, mark._replace(text="variable:1", number=1))
            assert not carries(process.pid, mark._replace(text="ariable:1:1", number=1))
        finally:
            process.kill()
    assert not carries(process.pid, mark)


def test_term_comes_first_and_a_polite_process_ends_by_it(runner: Runner, tmp_path: Path) -> None:
    pid = runner.start("trap 'echo bye; exit 7' TERM; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    runner.end(grace=30)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert runner.output().endswith("bye\n")


def test_what_ignores_term_is_killed_when_the_grace_is_over(runner: Runner) -> None:
    pid = runner.start("trap '' TERM; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    began = time.monotonic()
    termination = Termination(runner.mark, began, 0.3)
    assert termination.step(began) is not None
    assert pid in members(runner.mark)
    wait_until(lambda: termination.step(time.monotonic()) is None)
    assert time.monotonic() - began >= 0.3
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_hastening_ends_the_grace(runner: Runner) -> None:
    runner.start("trap '' TERM; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    termination = Termination(runner.mark, time.monotonic(), 3600)
    assert termination.step(time.monotonic()) is not None
    termination.hasten(time.monotonic())
    wait_until(lambda: termination.step(time.monotonic()) is None)


def test_a_later_hastening_does_not_lengthen_the_grace(runner: Runner) -> None:
    runner.start("trap '' TERM; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    termination = Termination(runner.mark, time.monotonic(), 0)
    termination.hasten(time.monotonic() + 3600)
    wait_until(lambda: termination.step(time.monotonic()) is None)


def test_without_grace_nobody_is_asked(runner: Runner) -> None:
    pid = runner.start("trap 'echo asked' TERM; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    runner.end(grace=0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert runner.output() == "on\n"


def test_stopped_processes_end_too(runner: Runner) -> None:
    pid = runner.start("kill -STOP $$; sleep 60")
    wait_until(lambda: (stat := stat_of(pid)) is not None and stat.state == "T")
    runner.end()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_ending_what_has_ended_is_nothing_and_may_be_done_twice(runner: Runner) -> None:
    os.waitpid(runner.start("true"), 0)
    termination = Termination(runner.mark, time.monotonic(), 10)
    assert termination.step(time.monotonic()) is None
    assert termination.step(time.monotonic()) is None


# Python, since a shell's fork is too slow to be a threat.
SPAWNER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("on", flush=True)
while True:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.002)
"""
STORM = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("on", flush=True)
while True:
    try:
        if os.fork() == 0 and sum(name.isdigit() for name in os.listdir("/proc")) > %d:
            time.sleep(60)
    except OSError:
        pass
"""
RELAY = """
import os
print("on", flush=True)
while True:
    if os.fork():
        os._exit(0)
"""


def test_what_forks_while_it_is_killed_ends_with_its_children(runner: Runner) -> None:
    runner.start((sys.executable, "-S", "-c", SPAWNER))
    wait_until(lambda: len(members(runner.mark)) > 10)
    runner.end(grace=0.05)
    assert members(runner.mark) == {}


def test_a_fork_storm_ends(runner: Runner) -> None:
    most = len(tree.pids()) + 120
    runner.start((sys.executable, "-S", "-c", STORM % most))
    wait_until(lambda: len(members(runner.mark)) > 60)
    runner.end()
    assert members(runner.mark) == {}


def test_a_process_that_forks_and_ends_for_ever_is_never_taken_for_dead(runner: Runner) -> None:
    os.waitpid(runner.start((sys.executable, "-S", "-c", RELAY)), 0)
    assert all(members(runner.mark) for _ in range(8))
    runner.end()
    # It makes thousands a second: had it survived, newcomers would carry the mark.
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        assert members(runner.mark) == {}


def test_zombies_are_dead(runner: Runner) -> None:
    pid = runner.start("true")
    wait_until(lambda: (stat := stat_of(pid)) is not None and stat.dead)
    assert members(runner.mark) == {}
    assert Termination(runner.mark, time.monotonic(), 60).step(time.monotonic()) is None


def test_children_of_the_marked_belong_to_it_even_unmarked(runner: Runner) -> None:
    script = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_RTTIME, (10**9, resource.RLIM_INFINITY))\n"
        "os.execvpe('sh', ['sh', '-c', 'echo $$; exec sleep 60'], {'PATH': os.environ['PATH']})\n"
    )
    runner.start(("sh", "-c", f'{sys.executable} -S -c "$0"; true', script))
    (pid,) = said(runner, 1)
    assert not carries(pid, runner.mark)
    assert pid in members(runner.mark)


def test_a_pid_that_was_given_to_another_is_not_signalled(runner: Runner) -> None:
    pid = runner.start("trap 'echo wrong' USR1; trap 'echo right' USR2; echo on; while :; do sleep 0.02; done")
    wait_until(lambda: runner.output() == "on\n")
    stat = stat_of(pid)
    assert stat is not None
    assert tree._send(signal.SIGUSR1, {pid: stat.starttime - 1, 2**22 - 1: 1}) == []  # the other one: nobody there
    assert tree._send(signal.SIGUSR2, {pid: stat.starttime}) == []
    wait_until(lambda: runner.output() != "on\n")  # of two pending signals the lower number comes first
    assert runner.output() == "on\nright\n"


def test_what_may_not_be_signalled_is_named_and_not_taken_for_dead(runner: Runner) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another")
    pid = runner.start(("sleep", "60"))
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            # Another's environment can't be read, but the limits can.
            termination = Termination(runner.mark, time.monotonic(), 0)
            pause = termination.step(time.monotonic())
            while pause is not None and not termination.unkillable:
                pause = termination.step(time.monotonic())  # a step stops where a look took long
            os.write(into, f"{pause is not None} {sorted(termination.unkillable)}".encode())
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.read(out, 100).decode() == f"True [{pid}]"
    os.close(out)
    os.close(into)


def test_a_proc_that_hides_others_is_no_trouble(runner: Runner) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    script = (
        "import os; from queuectl.execution.identity import stat_of; from queuectl.execution.mark import mark_of\n"
        "from queuectl.execution.tree import members\n"
        "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "print(members(mark_of('u', 1, 1)), stat_of(1), stat_of(os.getpid()) is not None)"
    )
    for hidepid in (1, 2):
        command = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$@"'
        ran = subprocess.run(
            ["unshare", "-m", "sh", "-c", command, "sh", sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ran.stdout == "{} None True\n", ran.stderr


def test_all_children_are_listed_however_many() -> None:
    script = (
        "import os, signal; from queuectl.execution import tree\n"
        "pids = set()\n"
        "for _ in range(900):\n"  # a page holds some 600
        "    pid = os.fork()\n"
        "    if pid == 0: signal.pause()\n"
        "    pids.add(pid)\n"
        "print(set(tree.children()) == pids)\n"
        "for pid in pids: os.kill(pid, 9); os.waitpid(pid, 0)\n"
        "print(tree.children())\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines() == ["True", "[]"], ran.stderr


def test_a_subreaper_adopts_what_its_jobs_leave_behind() -> None:
    script = (
        "import os, sys; from queuectl.execution import libc, tree\n"
        "libc.become_subreaper()\n"
        "pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'setsid sleep 60 & echo $!'], os.environ)\n"
        "os.waitpid(pid, 0)\n"
        "(left,) = tree.children()\n"
        "print(tree.stat_of(left).parent == os.getpid()); os.kill(left, 9); os.waitpid(left, 0)\n"
        "print(tree.children())\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert ran.stdout.splitlines()[1:] == ["True", "[]"], ran.stderr


def test_the_death_of_the_parent_is_signalled() -> None:
    script = (
        "import os, signal; from queuectl.execution import libc\n"
        "if os.fork() == 0:\n"
        "    signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'orphan'), os._exit(0)))\n"
        "    libc.signal_at_death_of_parent(signal.SIGTERM); os.write(1, b'ready '); signal.pause()\n"
        "else:\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(6) == b"ready "
        process.kill()
        assert select.select([process.stdout], [], [], 20)[0]
        assert process.stdout.read() == b"orphan"


def test_a_name_with_brackets_does_not_confuse_the_stat() -> None:
    text = b"7 (a) b (Z) 1 (c)) S 3 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0"
    stat = Stat(text)
    assert (stat.state, stat.parent, stat.starttime, stat.dead) == ("S", 3, 98765, False)
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        libc.prctl(15, b") Z 1 (", 0, 0, 0)
        signal.pause()
        os._exit(0)
    try:
        found = stat_of(pid)
        assert found is not None
        assert found.parent == os.getpid()
        assert not found.dead
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_host_and_boot_have_names_that_stay() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36
    assert host_id() == host_id()
    assert host_id().count("/") == 2
