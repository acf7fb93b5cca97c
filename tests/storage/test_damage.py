"""Files that are no sound queue, and places that can't be written: said clearly, and nothing touched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import peewee
import pytest
from queue_file import add, check_sound, exit_code_of, forked, new_job

from queuectl.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseForeign,
    DatabaseNewer,
    DatabaseReadOnly,
    DatabaseUnavailable,
    QueuectlError,
)
from queuectl.storage import queries
from queuectl.storage.database import Database
from queuectl.storage.queries import Filter

sqlite3 = peewee.sqlite3  # the library that is in this process already: two would drop each other's locks


@pytest.fixture
def whole(path: str) -> bytes:
    """The bytes of a sound queue of about a hundred pages; the file itself is there too."""
    database = Database(path)
    add(database, *[new_job(spec=new_job().spec._replace(command=f"echo {'x' * 900}")) for _ in range(300)])
    database.rows("PRAGMA wal_checkpoint(truncate)")
    database.close()
    return Path(path).read_bytes()


def refuse(path: str, kind: type[QueuectlError], words: str) -> None:
    """Opening `path`, twice, fails as `kind` and leaves the bytes of the file alone."""
    before = Path(path).read_bytes()
    for _ in range(2):
        with pytest.raises(QueuectlError, match=words) as caught:
            Database(path)
        assert type(caught.value) is kind
        assert path in str(caught.value)
        assert caught.value.hint
        assert caught.value.exit_code == 1
        assert Path(path).read_bytes() == before
    assert not os.path.exists(path + ".new")


@pytest.mark.parametrize("cut", [512, 1024, 4095, 4096, 4097, 8192, 100_000, 200_001, -1, -4095, -4096, -4097])
def test_a_file_cut_short_is_damaged(path: str, whole: bytes, cut: int) -> None:
    Path(path).write_bytes(whole[:cut])
    refuse(path, DatabaseDamaged, "cut short|malformed")


@pytest.mark.parametrize("cut", [1, 15, 16, 50, 99, 100, 511])
def test_less_than_a_header_is_no_database(path: str, whole: bytes, cut: int) -> None:
    Path(path).write_bytes(whole[:cut])
    with pytest.raises((DatabaseDamaged, DatabaseForeign)):
        Database(path)
    assert Path(path).read_bytes() == whole[:cut]


def test_a_sound_file_that_grew_is_opened(path: str, whole: bytes) -> None:
    Path(path).write_bytes(whole + b"\0" * 4096)
    database = Database(path)
    assert queries.count(database, Filter()) == 300
    database.close()


def test_an_empty_file_is_damaged(path: str) -> None:
    Path(path).touch()
    refuse(path, DatabaseDamaged, "got an empty file")


def test_a_log_without_its_database_is_not_played_into_a_fresh_one(path: str) -> None:
    def work() -> None:
        database = Database(path)
        add(database, new_job("lost"))
        os.kill(os.getpid(), signal.SIGKILL)
        database.close()  # never: what it wrote stays in the log

    assert exit_code_of(forked(work)) == -signal.SIGKILL
    os.rename(path, path + ".away")
    assert os.path.getsize(path + "-wal") > 0
    log = Path(path + "-wal").read_bytes()
    with pytest.raises(DatabaseDamaged, match="is gone, but its log"):
        Database(path)
    assert not os.path.exists(path)
    assert Path(path + "-wal").read_bytes() == log
    os.rename(path + ".away", path)
    database = Database(path)
    assert queries.get(database, "lost").id == "lost"
    database.close()


def test_another_programs_database_is_foreign(path: str) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY)")
    other.commit()
    other.close()
    refuse(path, DatabaseForeign, "another program's database")


def test_an_empty_database_of_nobody_is_foreign(path: str) -> None:
    other = sqlite3.connect(path)
    other.execute("VACUUM")
    other.close()
    refuse(path, DatabaseForeign, "another program's database")


@pytest.mark.parametrize("content", [b"jobs: []\n" * 500, b"\0" * 8192, b"\x7fELF" + b"\xff" * 5000, b"{}"])
def test_a_file_that_is_no_database_is_foreign(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    refuse(path, DatabaseForeign, "no SQLite database")


def test_the_database_of_a_newer_major_version_is_refused(path: str, whole: bytes) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 2000")
    other.close()
    refuse(path, DatabaseNewer, "schema is version 2000")


def test_the_database_of_a_newer_minor_version_is_served(path: str, whole: bytes) -> None:
    other = sqlite3.connect(path)
    other.execute("ALTER TABLE jobs ADD COLUMN mood TEXT")
    other.execute("PRAGMA user_version = 1999")
    other.close()
    database = Database(path)
    add(database, new_job("new"))
    assert queries.get(database, "new").id == "new"
    assert database.rows("PRAGMA user_version") == [(1999,)]
    database.close()


def test_a_page_of_garbage_is_reported_as_damage_when_it_is_read(path: str, whole: bytes) -> None:
    for page in range(2, len(whole) // 4096):
        Path(path).write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            database = Database(path)
        except DatabaseDamaged:
            continue
        try:
            for job in queries.jobs(database, Filter()):
                assert job.spec.command.startswith("echo ")
            add(database)
        except DatabaseDamaged:
            pass
        finally:
            database.close()


def test_a_directory_in_the_place_of_the_file_is_refused(path: str) -> None:
    os.mkdir(path)
    with pytest.raises(DatabaseError):
        Database(path)
    assert os.listdir(path) == []


def test_without_create_nothing_is_made(path: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="there is no queue here"):
        Database(path, create=False)
    assert os.listdir(os.path.dirname(path)) == []


def test_a_home_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="No such file"):
        Database(str(tmp_path / "nowhere" / "queue.db"))
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="Not a directory"):
        Database(str(tmp_path / "file" / "queue.db"))


def test_leftovers_of_one_who_died_making_it_are_cleared_away(path: str) -> None:
    for end in (".new", ".new-wal", ".new-shm", ".new-journal"):
        Path(path + end).write_bytes(b"half")
    database = Database(path)
    add(database)
    check_sound(database)
    database.close()
    assert sorted(os.listdir(os.path.dirname(path))) == ["queue.db", "write.lock"]


# As somebody else, since root may write everywhere.


@pytest.fixture
def foreign_home() -> Iterator[str]:
    """A home of root's with a queue in it, that others may enter and read."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another")
    home = tempfile.mkdtemp(dir="/tmp")
    os.chmod(home, 0o755)
    database = Database(f"{home}/queue.db")
    add(database, new_job("there"))
    database.close()
    yield home
    shutil.rmtree(home)


def as_nobody(work: Callable[[], object]) -> int:
    def lowered() -> None:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        work()

    return exit_code_of(forked(lowered))


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_anothers_queue_is_read_only(foreign_home: str, mode: int) -> None:
    os.chmod(f"{foreign_home}/queue.db", mode)
    os.chmod(f"{foreign_home}/write.lock", mode)
    before = Path(f"{foreign_home}/queue.db").read_bytes()

    def work() -> None:
        with pytest.raises(DatabaseReadOnly, match="can't be written"):
            add(Database(f"{foreign_home}/queue.db"))

    assert as_nobody(work) == 0
    assert Path(f"{foreign_home}/queue.db").read_bytes() == before
    assert sorted(os.listdir(foreign_home)) == ["queue.db", "write.lock"]


def test_no_queue_is_made_where_one_may_not_write(foreign_home: str) -> None:
    def work() -> None:
        with pytest.raises(DatabaseReadOnly, match="can't be written"):
            Database(f"{foreign_home}/other/queue.db")

    os.mkdir(f"{foreign_home}/other")
    assert as_nobody(work) == 0
    assert os.listdir(f"{foreign_home}/other") == []


def test_what_root_makes_in_anothers_home_is_the_others(foreign_home: str) -> None:
    os.mkdir(f"{foreign_home}/theirs", 0o700)
    os.chown(f"{foreign_home}/theirs", 65534, 65534)
    os.chmod(foreign_home, 0o755)
    Database(f"{foreign_home}/theirs/queue.db").close()
    for name in os.listdir(f"{foreign_home}/theirs"):
        assert os.stat(f"{foreign_home}/theirs/{name}").st_uid == 65534
    assert as_nobody(lambda: add(Database(f"{foreign_home}/theirs/queue.db"))) == 0


# In a mount namespace of its own: a disk as small, or as read-only, as need be.


def on_a_disk(options: str, script: str, *arguments: str) -> str:
    """Run the Python `script` with a tmpfs of its own at /mnt; its output."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    command = f'mount -t tmpfs -o {options} none /mnt && exec "$@"'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


FULL = """
import os, sys
from queue_file import add, new_job, check_sound
from queuectl.errors import DiskFull
from queuectl.storage.database import Database

def fill():
    fd = os.open("/mnt/ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)

if sys.argv[1] == "opening":
    fill()
    try:
        Database("/mnt/queue.db")
    except DiskFull as error:
        print("full:", error)
    os.unlink("/mnt/ballast")
    database = Database("/mnt/queue.db")
    add(database)
elif sys.argv[1] == "enqueuing":
    database = Database("/mnt/queue.db")
    add(database, new_job("before"))
    fill()
    done = 0
    try:
        for n in range(10000):
            add(database, *[new_job(f"n{n}-{k}") for k in range(20)])
            done += 1
    except DiskFull as error:
        print("full:", error)
    assert not database.in_transaction()
    assert database.rows("SELECT count(*) FROM jobs") == [(1 + 20 * done,)]
    os.unlink("/mnt/ballast")
    add(database, new_job("after"))
else:
    # Room in the log for a commit, but none for the first byte of the lock file, by which workers are woken.
    database = Database("/mnt/queue.db")
    add(database, *[new_job() for _ in range(50)])
    database.rows("PRAGMA wal_checkpoint(passive)")
    os.truncate("/mnt/write.lock", 0)
    fill()
    assert add(database, new_job("in")) == ["in"]
    assert os.stat("/mnt/write.lock").st_size == 0
    print("full: but in")
check_sound(database)
database.close()
"""


@pytest.mark.parametrize("moment", ["opening", "enqueuing", "waking"])
def test_a_full_disk_is_said_and_survived(moment: str) -> None:
    assert on_a_disk("size=1m", FULL, moment).startswith("full: ")


READ_ONLY = """
import os, subprocess
from queue_file import add
from queuectl.errors import DatabaseReadOnly
from queuectl.storage.database import Database

os.mkdir("/mnt/home")
database = Database("/mnt/home/queue.db")
add(database)
database.close()
subprocess.run(["mount", "-o", "remount,ro", "/mnt"], check=True)
for path in ("/mnt/home/queue.db", "/mnt/queue.db"):
    try:
        add(Database(path))
    except DatabaseReadOnly as error:
        print(error)
"""


def test_a_file_system_that_is_read_only_is_said() -> None:
    said = on_a_disk("size=4m", READ_ONLY).splitlines()
    assert len(said) == 2
    assert all("can't be written" in line for line in said)


def test_a_limit_on_the_size_of_files_is_an_error_of_the_tree(path: str) -> None:
    def work() -> None:
        import resource

        database = Database(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        with pytest.raises(DatabaseError):
            add(database, *[new_job() for _ in range(20_000)])
        assert not database.in_transaction()

    assert exit_code_of(forked(work)) == 0
    database = Database(path)
    check_sound(database)
    database.close()
