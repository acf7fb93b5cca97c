"""What is secret stays out of lists, out of logs, and out of other jobs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from real_home import Home, until

SECRET = "hunter2-3b1f"


@pytest.fixture
def queue(home: Home) -> Home:
    home.enqueue("true", id="one", env={"TOKEN": SECRET})
    return home


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "--json"],
        ["list", "-o", "jsonl"],
        ["list", "-o", "wide"],
        ["show", "one"],
        ["show", "one", "--json"],
        ["hold", "one", "--json"],
        ["cancel", "one", "--json"],
        ["wait", "one", "--json", "--timeout", "0"],
        ["status", "--json"],
        ["db", "check", "--json"],
        ["doctor", "--json"],
        ["enqueue", '{"command": "true", "env": {"TOKEN": "hunter2-3b1f"}}', "--json"],
    ],
    ids=" ".join,
)
def test_values_of_the_environment_are_masked(queue: Home, words: list[str]) -> None:
    said = queue.cli(*words, code=None)
    assert SECRET not in said
    if "--json" in words and words[0] in ("list", "show", "enqueue"):
        documents = json.loads(said)
        for job in documents if isinstance(documents, list) else [documents]:
            assert job["env"] == {"TOKEN": "***"}


def test_a_dead_jobs_too(queue: Home) -> None:
    dead = queue.enqueue("false", max_retries=0, env={"TOKEN": SECRET})
    queue.cli("cancel", "one")
    queue.cli("worker", "run", "--drain")
    for words in (["dlq", "list", "--json"], ["dlq", "show", dead, "--json"], ["dlq", "retry", dead, "--json"]):
        assert SECRET not in queue.cli(*words)


def test_who_asks_gets_them(queue: Home) -> None:
    assert f"TOKEN={SECRET}" in queue.cli("show", "one", "--env")
    assert queue.document("show", "one", "--env")["env"] == {"TOKEN": SECRET}
    assert queue.queue.get("one").spec.env == {"TOKEN": SECRET}


def test_the_job_gets_them_and_the_log_does_not(queue: Home) -> None:
    worker = queue.start()
    said = queue.await_log(worker, "worker.started")
    job = queue.enqueue('test "$TOKEN" = hunter2-3b1f', env={"TOKEN": SECRET})
    assert queue.ended(job).state.value == "completed"
    worker.terminate()
    assert worker.stderr is not None
    assert SECRET not in said + worker.stderr.read().decode()


def test_what_stands_in_a_file_gets_to_the_job_and_nowhere_else(home: Home) -> None:
    file = Path(home.path, "app.env")
    file.write_text(f"TOKEN={SECRET}\nHERE=file\n")
    file.chmod(0o600)
    words = ["--env-file", str(file), "--env", "HERE=own", "--id", "one", "--", "sh", "-c", "echo ${#TOKEN} $HERE"]
    home.cli("enqueue", *words)
    home.cli("worker", "run", "--drain")
    assert home.cli("logs", "one") == f"{len(SECRET)} own\n"
    assert home.document("show", "one", "--env")["env_file"] == str(file)
    home.cli("db", "backup", os.path.join(home.path, "copy.db"))
    file.unlink()
    kept = [path for path in Path(home.path).rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == []


def test_a_file_is_read_at_each_start(home: Home) -> None:
    file = Path(home.path, "app.env")
    home.worker()
    job = home.enqueue('test -n "$TOKEN"', env_file=str(file), max_retries=0)
    ended = home.ended(job)
    assert (ended.state.value, ended.last.exit_code) == ("dead", 126)
    assert ended.last.error == f"{file}: the file of variables: No such file or directory"
    file.write_text("TOKEN=1")
    home.cli("retry", job)
    assert home.ended(job).state.value == "completed"


def test_a_bad_value_is_not_repeated_by_the_complaint(home: Home) -> None:
    home.cli("enqueue", json.dumps({"command": "true", "env": {"TOKEN": f"{SECRET}\0"}}), code=2)


def test_a_job_sees_nothing_of_the_workers_settings(home: Home) -> None:
    home.environment |= {
        "QUEUECTL_LOG_LEVEL": "debug",
        "NOTIFY_SOCKET": "@nobody",
        "WATCHDOG_USEC": "1",
        "LISTEN_FDS": "1",
    }
    home.environment |= {"INVOCATION_ID": "x", "JOURNAL_STREAM": "1:2", "SUPERVISOR_PROCESS_NAME": "x", "MINE": "kept"}
    home.environment |= {"QUEUECTL_MAX_RETRIES": "7", "QUEUECTL_SECRET_OF_MINE": "x"}
    home.worker()
    job = home.enqueue(["env", "-0"], env={"OWN": "1"})
    home.ended(job)
    seen = dict(entry.split("=", 1) for entry in home.cli("logs", job).split("\0") if "=" in entry)
    assert {name for name in seen if name.startswith("QUEUECTL_")} == {
        *("QUEUECTL_HOME", "QUEUECTL_JOB_ID", "QUEUECTL_ATTEMPT", "QUEUECTL_QUEUE", "QUEUECTL_POOL", "QUEUECTL_SLOT"),
        "QUEUECTL_RUN",
    }
    assert not {
        name for name in seen if name.startswith(("WATCHDOG", "LISTEN", "SUPERVISOR", "NOTIFY", "JOURNAL", "INVOC"))
    }
    assert (seen["MINE"], seen["OWN"]) == ("kept", "1")


def test_a_supervised_job_sees_nothing_of_supervisord(home: Home) -> None:
    home.environment["QUEUECTL_MAX_RETRIES"] = "2"
    home.cli("worker", "start")
    job = home.enqueue(["env", "-0"])
    home.ended(job)
    seen = {entry.partition("=")[0] for entry in home.cli("logs", job).split("\0")}
    assert not {name for name in seen if name.startswith(("SUPERVISOR_", "QUEUECTL_MAX"))}


def test_a_job_inherits_no_lock_and_no_file(home: Home) -> None:
    home.worker(concurrency=1)
    for command in ("ls -l /proc/self/fd", "exec ls -l /proc/self/fd"):
        job = home.enqueue(command)
        home.ended(job)
        said = home.cli("logs", job)
        open_files = [line.rpartition("-> ")[2] for line in said.splitlines() if "->" in line]
        assert [path for path in open_files if "locks" in path or "queue.db" in path or "write.lock" in path] == []
        assert len(open_files) <= 4, said


def test_one_jobs_variables_are_not_anothers(home: Home) -> None:
    home.worker(concurrency=1)
    home.ended(home.enqueue("true", env={"TOKEN": SECRET}))
    job = home.enqueue("env")
    home.ended(job)
    assert SECRET not in home.cli("logs", job)


def test_the_private_supervisord_serves_its_owner_alone(home: Home) -> None:
    home.cli("worker", "start")
    path = Path(home.path, "supervisor", "supervisor.sock")
    until(path.exists, "the socket")
    mode = os.stat(path).st_mode
    assert mode & 0o077 == 0
    written = Path(home.path, "supervisor", "supervisord.conf").read_text()
    assert "inet_http_server" not in written
