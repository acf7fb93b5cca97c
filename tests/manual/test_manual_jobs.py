"""The manual's lines that put jobs in, and look at them."""

from __future__ import annotations

import os

import pytest
from manual_lines import LOOP, PYTHON_JOB, READING_LOOP, manual
from real_home import until

HELLO = "echo Hello World"


@manual("queuectl --help")
def test_help_names_the_commands(shell, line):
    said = shell(line)
    assert all(f"\n  {word}" in said for word in ("enqueue", "list", "worker", "dlq", "config", "status"))


@manual("queuectl enqueue my_job.json", "queuectl enqueue --file my_job.json", "queuectl enqueue -f my_job.json")
def test_a_file_that_echo_wrote_becomes_a_job(shell, line):
    shell("""echo '{"command": "echo Hello World"}' > my_job.json""")
    shell(line)
    (job,) = shell.jobs()
    assert (job["command"], job["state"], job["max_retries"]) == (HELLO, "pending", 3)
    shell.drain()
    assert shell.job(job["id"])["output"] == "Hello World\n"


@manual("queuectl enqueue -f custom_job.json")
def test_a_file_with_all_keys_becomes_that_job(shell, line):
    keys = {
        "id": "data-processing-job",
        "command": "python process_data.py --input data.csv",
        "max_retries": 3,
        "timeout": 600,
        "priority": 10,
    }
    shell.write("custom_job.json", keys)
    shell(line)
    (job,) = shell.jobs()
    assert {key: job[key] for key in keys} == keys


@manual("queuectl enqueue job.json", """queuectl enqueue '{"command": "python script.py"}'""")
def test_a_script_of_the_working_directory_is_run(shell, line):
    shell.write("script.py", "print('the script ran')")
    shell("""echo '{"command": "python script.py"}' > job.json""")
    shell(line)
    shell("queuectl worker start")
    (job,) = shell.jobs()
    ended = shell.ended(job["id"])
    assert (ended["state"], ended["output"]) == ("completed", "the script ran\n")


@manual("queuectl init --examples")
@pytest.mark.parametrize("name", ["simple_job.json", "job_template.json", "python_job.json", "test_job.json"])
def test_the_examples_are_there_and_run(shell, line, name):
    shell(line)
    assert name in os.listdir(shell.directory)
    shell(f"queuectl enqueue {name}")
    shell.drain()
    (job,) = shell.jobs()
    assert job["state"] == "completed"
    assert job["output"].strip()


@manual("queuectl enqueue job_template.json")
def test_the_template_shows_all_that_a_job_may_say(shell, line):
    shell("queuectl init --examples")
    shell(line)
    (job,) = shell.jobs()
    assert (job["id"], job["max_retries"], job["timeout"], job["priority"]) == ("nightly-report", 3, 300, 5)


@manual("""queuectl enqueue '{"command": "echo Hello World"}'""")
def test_json_becomes_a_job_and_its_id_is_printed(shell, line):
    printed = shell(line).strip()
    (job,) = shell.jobs()
    assert (job["id"], job["command"], job["state"]) == (printed, HELLO, "pending")


@manual("""queuectl enqueue '{"id": "my-job-1", "command": "sleep 5", "max_retries": 5, "timeout": 30}'""")
def test_a_job_keeps_what_it_says_of_itself(shell, line):
    shell(line)
    job = shell.job("my-job-1")
    assert (job["command"], job["max_retries"], job["timeout"]) == ("sleep 5", 5, 30)
    shell(line, code=1)  # the id is taken
    assert len(shell.jobs()) == 1


@manual("""queuectl enqueue --validate '{"command": "echo test"}'""")
def test_validate_queues_nothing(shell, line):
    shell(line)
    assert shell.jobs() == []
    shell("""queuectl enqueue --validate '{"comand": "echo test"}'""", code=2)


@manual("queuectl enqueue test_job.json", """queuectl enqueue '{"command": "echo Testing QueueCTL"}'""")
def test_the_first_scenario(shell, line):
    shell("""echo '{"command": "echo Testing QueueCTL"}' > test_job.json""")
    shell(line)
    shell("queuectl worker start")
    (job,) = shell.jobs()
    assert shell.ended(job["id"])["output"] == "Testing QueueCTL\n"
    assert job["id"] in shell("queuectl list --state completed")


@manual(PYTHON_JOB)
def test_a_command_in_three_layers_of_quotes(shell, line):
    shell(line)
    shell("queuectl worker start")
    (job,) = shell.jobs()
    assert job["timeout"] == 10
    ended = shell.ended(job["id"])
    assert (ended["state"], ended["output"]) == ("completed", "Processing...\nDone!\n")


@manual(LOOP)
def test_a_loop_fills_the_queue_and_three_workers_share_it(shell, line):
    shell(line)
    assert [job["command"] for job in shell.jobs()] == [f"sleep {number}" for number in range(1, 6)]
    shell("queuectl worker start --count 3")
    counts = until(
        lambda: found if (found := shell.document("queuectl status")["jobs"])["processing"] == 3 else None,
        "three jobs to run at once",
    )
    assert counts["processing"] == 3
    first = shell.jobs()[0]["id"]
    assert shell.ended(first)["state"] == "completed"


@manual(READING_LOOP)
def test_a_loop_that_reads_its_commands_loses_none(shell, line):
    commands = [f"echo line {number}" for number in range(1, 5)]
    shell.write("jobs.txt", "\n".join(commands) + "\n")
    shell(line)
    assert [job["command"] for job in shell.jobs()] == commands
    shell.drain()
    assert [job["output"] for job in shell.jobs()] == [f"line {number}\n" for number in range(1, 5)]


@manual(
    "queuectl list", "queuectl list --verbose", "queuectl list --limit 10", "queuectl list --state pending",
    "queuectl list --state completed", "queuectl list --state failed",
)  # fmt: skip
def test_list_shows_the_jobs_that_were_asked_for(shell, line):
    ids = shell.states()
    asked = {"pending": ["waits"], "completed": ["well"], "failed": ["again"]}.get(line.split()[-1], ids)
    said = shell(line)
    assert [job for job in ids if f"\n{job} " in said] == asked
    assert [job["id"] for job in shell.document(line)][::-1] == asked


@manual("queuectl list --limit 10")
def test_limit_shows_the_newest(shell, line):
    shell("seq 12 | queuectl enqueue --lines -")
    assert [job["command"] for job in shell.document(line)] == [str(number) for number in range(12, 2, -1)]


@manual("queuectl list --verbose")
def test_verbose_shows_more(shell, line):
    shell.states()
    plain, verbose = shell("queuectl list").splitlines()[0], shell(line).splitlines()[0]
    assert len(verbose.split()) > len(plain.split())


@manual("""queuectl list --json | jq '.[] | select(.state == "completed")'""")
def test_jobs_can_be_exported(shell, line):
    shell.states()
    said = shell(line)
    assert '"id": "well"' in said
    assert said.count('"command":') == 1


@manual("queuectl status")
def test_status_counts_jobs_and_workers(shell, line):
    shell.states()
    shell("queuectl worker start --count 2")
    shell.ended("waits")
    found = shell.document(line)
    assert {state: n for state, n in found["jobs"].items() if n} == {"completed": 2, "failed": 1, "dead": 1}
    assert [worker["state"] for worker in found["workers"]] == ["running", "running"]
    said = shell(line)
    assert all(word in said for word in ("completed", "default-0", "default-1"))
