"""A home that is shared with a group, used by its owner, by members, by root, and by somebody else of this machine."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from group_home import GID, GROUP, USERS, GroupHome
from real_home import QUEUECTL, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become others")

OWNER = USERS["qowner"]


@pytest.fixture
def group() -> Iterator[GroupHome]:
    made = GroupHome()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def shared(group: GroupHome) -> GroupHome:
    group.share()
    return group


@pytest.fixture(scope="module")
def standing() -> Iterator[GroupHome]:
    """One that is shared, with a job in it, for tests that leave it as it was."""
    made = GroupHome()
    try:
        made.share()
        made.cli("alice", "enqueue", "--id", "hers", "--", "true")
        yield made
    finally:
        made.close()


def modes(home: GroupHome) -> dict[str, tuple[int, int, int]]:
    """The mode, the owner and the group of all in the home, by path within it."""
    found = {}
    for path in [Path(home.path), *Path(home.path).rglob("*")]:
        seen = path.lstat()
        found[str(path.relative_to(home.path))] = (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)
    return found


def expected(name: str, *, is_directory: bool) -> int:
    """The mode of what is at that path in a shared home."""
    top = name.split("/")[0]
    if name == "." or (is_directory and top in ("config.d", "locks", "output", "logs")):
        return 0o2750
    if top in ("config.d", "locks", "output", "logs"):
        return 0o640
    if name in ("queue.db", "queue.db-wal", "queue.db-shm", "write.lock"):
        return 0o660
    if "/" not in name and not is_directory:
        return 0o640
    return 0o700 if is_directory else 0o600


def not_as_expected(home: GroupHome) -> list[str]:
    wrong = []
    for name, (mode, owner, gid) in modes(home).items():
        path = Path(home.path, name)
        if stat.S_ISSOCK(path.lstat().st_mode):
            good = mode & 0o677 == 0o600
        elif name in ("locks/leader.lock", "logs/supervisord.log", "supervisor/supervisord.pid"):
            good = mode in (0o600, 0o640)  # nobody else's business, and no secret
        else:
            # The kernel hands setgid down to what is the owner's alone, where it means nothing.
            good = mode in (wanted := expected(name, is_directory=path.is_dir()), wanted | 0o2000 * path.is_dir())
        if not good or owner != OWNER or (mode & 0o070 and gid != GID and "supervisord" not in name):
            wrong.append(f"{oct(mode)} {owner} {gid} {name}")
    return wrong


def use(home: GroupHome, umask: int) -> None:
    """All that leaves something in a home; the owner's commands and root's by turns."""
    home.cli("qowner", "init", umask=umask)
    home.cli("root", "config", "set", "max_retries", "1", umask=umask)
    home.cli("qowner", "worker", "start", "--count", "2", umask=umask)
    home.cli("root", "worker", "scale", "default", "1", umask=umask)
    long = home.cli("qowner", "enqueue", "--cwd", "/", "--", "head", "-c", "100000", "/dev/zero", umask=umask).out
    home.cli("root", "wait", long.strip(), umask=umask)
    home.cli("root", "db", "backup", umask=umask)
    home.cli("root", "worker", "stop", umask=umask)
    old = Path(home.above, "jobs.json")
    old.write_text('{"old": {"command": "true", "state": "completed", "output": "%s"}}' % ("x" * 9000))
    home.cli("qowner", "import", str(old), umask=umask)
    home.cli("root", "db", "vacuum", umask=umask)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_all_is_as_open_as_it_should_be_after_real_use(shared: GroupHome, umask: int) -> None:
    use(shared, umask)
    there = modes(shared)
    for kept in ("output/old/1", "config.d/50-set.yaml", "logs/default-0.log", "queuectl.yaml", "queue.db-shm"):
        assert kept in there, sorted(there)
    assert not_as_expected(shared) == []
    backup = next(name for name in there if name.startswith("backups/"))
    shared.cli("root", "db", "restore", f"{shared.path}/{backup}", "--yes", umask=umask)
    shared.cli("bob", "list")
    assert {name for name in not_as_expected(shared) if "before-restore" not in name} == set()
    said = {finding["check"]: finding for finding in shared.cli("qowner", "doctor", "--json", code=None).json}
    assert {said[check]["severity"] for check in ("home.permissions", "home.sharing", "home.owner")} == {"ok"}


def test_what_was_private_is_opened_and_closed_again(group: GroupHome) -> None:
    use(group, 0o022)
    private = modes(group)
    assert {mode & 0o077 for mode, _, _ in private.values()} == {0}
    group.cli("alice", "list", code=78)
    group.cli("qowner", "config", "set", "share_with", GROUP)
    assert group.cli("qowner", "doctor", "--json", code=1).json
    group.cli("qowner", "worker", "run", "--drain")
    assert not_as_expected(group) == []
    assert "old" in group.cli("alice", "list").out
    assert group.cli("alice", "logs", "old").out.startswith("xxx")
    group.cli("qowner", "config", "unset", "share_with")
    group.cli("qowner", "worker", "run", "--drain")
    assert [name for name, (mode, _, _) in modes(group).items() if mode & 0o7077] == []
    group.cli("alice", "list", code=78)


def test_a_members_job_runs_and_everybody_sees_it(shared: GroupHome) -> None:
    shared.cli("qowner", "worker", "start")
    job = shared.cli("alice", "enqueue", "--cwd", "/", "--", "sh", "-c", "id -un; head -c 9000 /dev/zero").out.strip()
    assert shared.cli("alice", "wait", job).code == 0
    for user in ("qowner", "alice", "bob", "root"):
        (listed,) = shared.cli(user, "list", "--by", "alice", "--json").json
        assert (listed["id"], listed["state"], listed["enqueued_by"]) == (job, "completed", "alice")
        assert shared.cli(user, "logs", job).out.startswith("qowner\n")
        assert shared.cli(user, "show", job).out
        (worker,) = shared.cli(user, "worker", "status", "--json").json
        assert (worker["name"], worker["state"]) == ("default-0", "running")
        assert shared.cli(user, "status", "--json").json["jobs"]["completed"] == 1
        assert shared.cli(user, "dlq", "list").code == 0
    assert shared.cli("bob", "worker", "logs").out
    checks = {finding["check"] for finding in shared.cli("bob", "doctor", "--json", code=None).json}
    assert {"home.owner", "home.sharing", "database", "workers"} <= checks
    here = f"from queuectl import Queue; q = Queue(home={shared.path!r})\n"
    said = shared.python("bob", f"{here}j = q.enqueue('true', cwd='/'); print(q.wait(j.id, 30).enqueued_by)")
    assert said.out == "bob\n"


def test_a_member_changes_their_own_jobs_only(shared: GroupHome) -> None:
    for user in ("alice", "bob", "qowner"):
        shared.cli(user, "enqueue", "--id", f"of-{user}", "--", "true")
    for command in ("hold", "release", "cancel", "retry", "remove"):
        refused = shared.cli("alice", command, "of-bob", code=1).err
        assert "job of-bob was enqueued by bob, and you are alice" in refused
        shared.cli("alice", command, "of-qowner", code=1)
        shared.cli("alice", command, "of-alice")
    for user in ("alice", "bob"):
        shared.cli(user, "enqueue", "--id", f"more-{user}", "--", "true")
    assert shared.cli("alice", "cancel", "--state", "pending", "--dry-run").out == "It would be 1 job.\n"
    shared.cli("alice", "cancel", "--state", "pending", "--yes")
    shared.cli("alice", "remove", "--state", "pending,cancelled", "--yes")
    left = {job["id"]: job["state"] for job in shared.cli("alice", "list", "--json").json}
    assert left == {"of-bob": "pending", "of-qowner": "pending", "more-bob": "pending"}
    here = f"from queuectl import Queue\nfrom queuectl.errors import NotPermitted\nq = Queue(home={shared.path!r})\n"
    shared.python(
        "alice", f"{here}try: q.cancel('of-bob')\nexcept NotPermitted as e: assert e.exit_code == 1\nelse: 1/0"
    )
    shared.cli("qowner", "cancel", "of-bob")
    shared.cli("root", "cancel", "more-bob")


def test_the_dlq_of_a_member_is_their_own(shared: GroupHome) -> None:
    shared.cli("qowner", "worker", "start")
    for user in ("alice", "bob"):
        job = shared.cli(user, "enqueue", "--max-retries", "0", "--cwd", "/", "--", "false").out.strip()
        shared.cli(user, "wait", job, code=1)
    assert shared.cli("alice", "dlq", "remove", "--yes", "--json").json["removed"] == 1
    assert shared.cli("bob", "dlq", "retry", "--json").json["retried"] == 1
    assert shared.cli("qowner", "dlq", "stats", "--json").json["total"] <= 1


@pytest.mark.parametrize(
    "words",
    [
        ["config", "set", "max_retries", "9"],
        ["config", "unset", "share_with"],
        ["config", "reset", "--yes"],
        ["worker", "start"],
        ["worker", "run"],
        ["worker", "stop"],
        ["worker", "scale", "default", "3"],
        ["worker", "restart"],
        ["worker", "reload"],
        ["db", "backup"],
        ["db", "backup", "/tmp/queuectl-should-not-be"],
        ["db", "restore", "/nonexistent", "--yes"],
        ["db", "vacuum"],
        ["db", "migrate"],
        ["db", "check", "--repair"],
        ["service", "install"],
        ["service", "uninstall"],
        ["import", "/nonexistent"],
        ["init"],
    ],
)
def test_a_member_is_refused_what_is_the_owners(standing: GroupHome, words: list[str]) -> None:
    before = modes(standing)
    said = standing.cli("alice", *words, code=1)
    assert "only qowner, whose queue it is, and root may" in said.err
    assert "hint: sudo -u qowner queuectl" in said.err
    assert modes(standing) == before


def test_a_stranger_can_do_nothing(standing: GroupHome) -> None:
    shared = standing
    for words in (["list"], ["enqueue", "--", "true"], ["cancel", "hers"], ["status"], ["audit"], ["config", "show"]):
        assert shared.cli("mallory", *words, code=78).out == ""
    for words in (["config", "set", "max_retries", "9"], ["worker", "start"], ["db", "vacuum"]):
        assert "qowner's, and not open to mallory" in shared.cli("mallory", *words, code=1).err
    shared.cli("mallory", "doctor", code=1)
    for program in ("ls", "cat"):
        name = shared.path if program == "ls" else f"{shared.path}/queue.db"
        assert "ermission denied" in shared.run("mallory", program, name, code=None).err
    assert len(shared.cli("qowner", "list", "--json").json) == 1


def test_a_member_can_plant_nothing(shared: GroupHome) -> None:
    shared.cli("qowner", "enqueue", "--", "head", "-c", "9999", "/dev/zero")
    places = [".", "config.d", "locks", "output", "logs", "supervisor", "backups"]
    for place in places:
        for words in (["touch", f"{place}/10-evil.yaml"], ["ln", "-s", "/etc/passwd", f"{place}/link"]):
            said = shared.run("alice", words[0], *words[1:-1], f"{shared.path}/{words[-1]}", code=None)
            assert said.code != 0
    for name in ("queue.db", "queue.db-wal", "queue.db-shm", "write.lock", "config.d"):
        for words in (["mv", name, "other"], ["rm", "-rf", name]):
            paths = [word if word.startswith("-") else f"{shared.path}/{word}" for word in words[1:]]
            shared.run("alice", words[0], *paths, code=None)
            assert os.path.exists(f"{shared.path}/{name}")
    assert shared.run("alice", "sh", "-c", f"echo x >> {shared.path}/config.d/50-set.yaml", code=None).code != 0
    assert not_as_expected(shared) == []


def test_a_planted_link_is_not_followed(shared: GroupHome) -> None:
    """By the owner, say, against root."""
    target = f"{shared.above}/precious"
    Path(target).write_text("")
    os.unlink(f"{shared.path}/write.lock")
    os.symlink(target, f"{shared.path}/write.lock")
    assert shared.cli("root", "enqueue", "--", "true", code=1).out == ""
    assert os.stat(target).st_uid == 0
    assert Path(target).read_text() == ""


def test_no_member_makes_the_queue(group: GroupHome) -> None:
    group.cli("qowner", "config", "set", "share_with", GROUP)
    os.chown(group.path, OWNER, GID)
    os.chmod(group.path, 0o2750)
    for path in ("config.d", "config.d/50-set.yaml"):
        os.chown(f"{group.path}/{path}", OWNER, GID)
        os.chmod(f"{group.path}/{path}", 0o2750 if path == "config.d" else 0o640)
    said = group.cli("alice", "enqueue", "--", "true", code=1)
    assert "only qowner, whose queue it is, and root may make a queue here, where there is none yet" in said.err
    assert not os.path.exists(f"{group.path}/queue.db")


def test_turns_without_workers_leave_the_log_to_all(shared: GroupHome) -> None:
    """Each is the last one to close, by turns; only the owner and root can remove the log, and leave a new one."""
    for number in range(3):
        for user in ("alice", "qowner", "bob", "root"):
            shared.cli(user, "enqueue", "--id", f"{user}-{number}", "--", "true")
            assert not_as_expected(shared) == []
    assert len(shared.cli("alice", "list", "--json").json) == 12
    assert shared.cli("qowner", "db", "check").code == 0
    assert shared.cli("bob", "db", "check").code == 0


def test_all_at_once_lose_nothing(shared: GroupHome) -> None:
    """Members, the owner and a worker open and close as they please; an owner's close is the moment to miss."""
    loop = 'for n in 1 2 3 4 5 6 7 8; do "$0" enqueue --cwd / -- true || exit 1; done'
    users = ("alice", "qowner", "bob", "root", "alice", "qowner")
    running = [
        subprocess.Popen(
            shared.command(user, "sh", "-c", loop, QUEUECTL),
            env=shared.environment(),
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for user in users
    ]
    said = [process.communicate(timeout=90) for process in running]
    assert [(process.returncode, err) for process, (_, err) in zip(running, said, strict=True)] == [(0, b"")] * 6
    shared.cli("qowner", "worker", "run", "--drain")
    jobs = shared.cli("alice", "list", "--limit", "0", "--json").json
    assert [job["state"] for job in jobs] == ["completed"] * 48
    audit = shared.cli("bob", "audit", "--action", "enqueue", "--limit", "0", "--json").json
    assert {who: sum(each["actor"] == who for each in audit) for who in ("alice", "bob", "qowner", "root")} == {
        "alice": 16,
        "bob": 8,
        "qowner": 16,
        "root": 8,
    }


def test_links_of_the_owner_lead_to_what_is_opened(group: GroupHome) -> None:
    os.rename(group.path, f"{group.above}/real")
    os.symlink(f"{group.above}/real", group.path)
    group.cli("qowner", "config", "set", "share_with", GROUP)
    os.rename(f"{group.above}/real/output", f"{group.above}/disk")
    os.symlink(f"{group.above}/disk", f"{group.above}/real/output")
    os.lchown(f"{group.above}/real/output", OWNER, OWNER)
    group.cli("qowner", "worker", "run", "--drain")
    job = group.cli("alice", "enqueue", "--cwd", "/", "--", "head", "-c", "9000", "/dev/zero").out.strip()
    group.cli("qowner", "worker", "run", "--drain")
    assert len(group.cli("bob", "logs", job).out) == 9000
    assert stat.S_IMODE(os.stat(f"{group.above}/disk").st_mode) == 0o2750


def test_a_member_who_is_killed_with_the_queue_open_keeps_nobody_out(shared: GroupHome) -> None:
    program = (
        f"import time; from queuectl import Queue; q = Queue(home={shared.path!r})\n"
        "q.enqueue('true', cwd='/'); print('here', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        shared.command("alice", sys.executable, "-c", program),
        env=shared.environment(),
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    shared.cli("bob", "enqueue", "--cwd", "/", "--", "true")
    shared.cli("qowner", "worker", "run", "--drain")
    assert {job["state"] for job in shared.cli("alice", "list", "--json").json} == {"completed"}


def test_a_log_that_is_gone_is_said_and_comes_back(shared: GroupHome) -> None:
    for end in ("-wal", "-shm"):
        os.unlink(f"{shared.path}/queue.db{end}")
    said = shared.cli("alice", "list", code=1)
    assert "its log was removed, and only its owner can make it anew" in said.err
    finding = {each["check"]: each for each in shared.cli("alice", "doctor", "--json", code=1).json}["home.sharing"]
    assert "queue.db-wal" in finding["looked_at"]
    shared.cli("qowner", "status")
    shared.cli("alice", "list")


def test_a_program_of_the_owner_that_never_closes_leaves_the_log_too(shared: GroupHome) -> None:
    here = f"from queuectl import Queue; q = Queue(home={shared.path!r}); q.enqueue('true')"
    for program in (here, f"{here}; q.close()", f"{here}; del q", f"{here}; raise SystemExit(0)"):
        shared.python("qowner", program)
        assert not_as_expected(shared) == []
        shared.cli("alice", "list")


def test_a_group_that_cannot_be_is_refused(group: GroupHome) -> None:
    group.cli("qowner", "config", "set", "share_with", "nosuch")
    for words in (["config", "check"], ["worker", "start"], ["worker", "run"]):
        assert "expected a group of this machine, got 'nosuch'" in group.cli("qowner", *words, code=78).err
    assert "home.sharing" in group.cli("qowner", "doctor", code=1).out
    group.cli("qowner", "config", "set", "share_with", GROUP)
    group.leave_group("qowner")
    for user in ("qowner", "root"):  # it is the owner who says which group
        said = group.cli(user, "worker", "start", code=78)
        assert "expected qowner, whose home it is, to be in the group 'qteam'" in said.err
        assert "usermod -aG qteam qowner" in said.err
    group.cli("qowner", "config", "set", "database", f"sqlite:///{group.above}/elsewhere.db")
    assert "expected the database in the home" in group.cli("qowner", "config", "check", code=78).err


def test_root_opens_it_for_a_worker_that_does_not_know_of_the_group_yet(group: GroupHome) -> None:
    group.leave_group("qowner")
    group.cli("qowner", "worker", "start")
    group.members.append("qowner")
    group.write_users()
    group.cli("root", "config", "set", "share_with", GROUP)
    group.cli("root", "worker", "restart")
    job = group.cli("alice", "enqueue", "--cwd", "/", "--", "sh", "-c", "head -c 9000 /dev/zero").out.strip()
    group.cli("alice", "wait", job)
    assert not_as_expected(group) == []
    assert len(group.cli("bob", "logs", job).out) == 9000


def test_a_reload_opens_and_closes_it_under_running_workers(group: GroupHome) -> None:
    group.cli("qowner", "worker", "start")
    group.cli("alice", "list", code=78)
    group.cli("qowner", "config", "set", "share_with", GROUP)
    group.cli("qowner", "worker", "reload")
    job = group.cli("alice", "enqueue", "--cwd", "/", "--", "sh", "-c", "echo on; exec sleep 6191").out.strip()
    until(lambda: "on" in group.cli("bob", "logs", job).out, "the output of the one that runs")
    group.cli("alice", "cancel", job)
    group.cli("alice", "wait", job, code=None)
    group.cli("qowner", "config", "unset", "share_with")
    group.cli("qowner", "worker", "reload")
    group.cli("alice", "list", code=78)
    group.cli("qowner", "enqueue", "--cwd", "/", "--", "true")


def test_who_did_what_is_on_record(shared: GroupHome) -> None:
    shared.cli("alice", "enqueue", "--id", "hers", "--", "true")
    shared.cli("bob", "cancel", "hers", code=1)
    shared.cli("alice", "cancel", "hers")
    shared.cli("root", "retry", "hers", SUDO_USER="bob")
    shared.cli("qowner", "config", "set", "max_retries", "1", SUDO_USER="alice")
    shared.cli("bob", "enqueue", "--id", "his", "--", "true", SUDO_USER="alice")  # whom sudo names, a member can't say
    found = [(each["actor"], each["action"], each["target"]) for each in shared.cli("bob", "audit", "--json").json]
    assert found == [
        ("bob", "enqueue", "his"),
        ("alice (as qowner)", "config set", "max_retries=1"),
        ("bob (as root)", "retry", "hers"),
        ("alice", "cancel", "hers"),
        ("alice", "enqueue", "hers"),
    ]
    assert len(shared.cli("alice", "audit", "--by", "alice", "--json").json) == 3
