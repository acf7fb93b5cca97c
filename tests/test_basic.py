"""The basics: enqueue, list, show, priority, timeout, output.

As a script, `python tests/test_basic.py`, it prints a checklist; pytest collects the same checks.
"""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

import checklist
from real_home import fresh_home, sleepers


def test_enqueue_takes_json_a_file_a_command_and_lines() -> None:
    with fresh_home() as home:
        path = os.path.join(home.path, "job.json")
        with open(path, "w") as file:
            json.dump({"command": "echo file"}, file)
        home.cli("enqueue", '{"command": "echo json"}')
        home.cli("enqueue", path)
        home.cli("enqueue", "--", "echo", "two words")
        home.cli("enqueue", "--lines", "-", given="echo one\n\necho two\n")
        commands = ["echo json", "echo file", "echo 'two words'", "echo one", "echo two"]
        assert [job["command"] for job in home.document("list")] == commands[::-1]
        home.cli("worker", "run", "--drain")
        assert [job["output"] for job in home.document("list")][::-1] == [
            "json\n", "file\n", "two words\n", "one\n", "two\n",
        ]  # fmt: skip


def test_what_is_no_job_is_refused() -> None:
    with fresh_home() as home:
        for wrong in ("{", '{"command": 3}', '{"command": "true", "priorty": 1}', '{"command": "true", "timeout": -1}'):
            home.cli("enqueue", wrong, code=2)
        assert home.document("list") == []


def test_list_and_show_tell_what_is_known() -> None:
    with fresh_home() as home:
        jobs = [home.enqueue("true", queue=queue) for queue in ("a", "b", "b")]
        bad = home.enqueue("exit 3", max_retries=0)
        home.cli("worker", "run", "--drain")
        assert {job["id"] for job in home.document("list", "--queue", "b")} == set(jobs[1:])
        assert [job["id"] for job in home.document("list", "--state", "dead")] == [bad]
        assert len(home.document("list", "--limit", "2")) == 2
        shown = home.document("show", bad)
        assert (shown["state"], shown["exit_code"], len(shown["attempts_log"])) == ("dead", 3, 1)
        assert bad in home.cli("show", bad)
        home.cli("show", "no-such-job", code=4)


def test_a_higher_priority_runs_first() -> None:
    with fresh_home() as home:
        for priority in (0, 5, -5, 10):
            home.enqueue("true", id=f"p{priority}", priority=priority)
        home.worker("--drain", concurrency=1).wait(20)
        jobs = sorted(home.document("list"), key=lambda job: job["started_at"])
        assert [job["id"] for job in jobs] == ["p10", "p5", "p0", "p-5"]


def test_a_timeout_ends_the_job_and_all_that_it_started() -> None:
    with fresh_home() as home:
        home.cli("worker", "start")
        number = f"9{time.monotonic_ns() % 10**8}"
        job = home.enqueue(f"sleep {number} & setsid sleep {number}; wait", timeout=0.5, max_retries=0)
        ended = home.ended(job)
        assert ended.state.value == "dead"
        assert home.document("show", job)["attempts_log"][0]["outcome"] == "timeout"
        assert sleepers(number) == []


def test_output_is_kept_and_so_is_the_cause_of_a_failure() -> None:
    with fresh_home() as home:
        job = home.enqueue("echo out; echo err >&2; seq 3", max_retries=0)
        bad = home.enqueue("kill -9 $$", max_retries=0)
        home.cli("worker", "run", "--drain")
        assert home.cli("logs", job) == "out\nerr\n1\n2\n3\n"
        assert home.document("show", job)["output"] == "out\nerr\n1\n2\n3\n"
        assert home.document("show", bad)["signal"] == 9


CHECKS = {
    "enqueue takes JSON, a file, a command and lines": test_enqueue_takes_json_a_file_a_command_and_lines,
    "what is no job is refused": test_what_is_no_job_is_refused,
    "list and show tell what is known": test_list_and_show_tell_what_is_known,
    "a higher priority runs first": test_a_higher_priority_runs_first,
    "a timeout ends the job and all that it started": test_a_timeout_ends_the_job_and_all_that_it_started,
    "output is kept, and so is the cause of a failure": test_output_is_kept_and_so_is_the_cause_of_a_failure,
}

if __name__ == "__main__":
    sys.exit(checklist.run("The basics", CHECKS))
