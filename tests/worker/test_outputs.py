"""What jobs print, however much and whatever it is."""

from __future__ import annotations

import os

import pytest
from real_home import until


def test_of_a_long_output_the_head_and_the_tail_stay(home):
    job = home.enqueue("echo HEAD; yes 'a line of it' | head -c 50000000; echo TAIL", output_limit="1MiB")
    home.worker()
    last = home.ended(job).last
    assert last.output_size == 50_000_000 + len("HEAD\nTAIL\n")
    assert last.tail.endswith(b"TAIL\n")
    path = home.queue.output_path(job, 1)
    found = os.stat(path)
    for size in (found.st_size, found.st_blocks * 512):
        assert 0.8 * 2**20 <= size <= 1.2 * 2**20
    with open(path, "rb") as file:
        content = file.read()
    assert content.startswith(b"HEAD\na line of it\n")
    assert content.endswith(b"TAIL\n")
    assert b"bytes left out here" in content
    assert b"\0" not in content


def test_while_it_runs_a_long_output_takes_little_room(home):
    command = "for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero | tr '\\0' x; sleep 0.3; done"
    job = home.enqueue(command, output_limit="1MiB")
    home.worker()
    path = home.queue.output_path(job, 1)
    least = []

    def written() -> bool:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return False
        if found.st_size > 20_000_000:
            least.append(found.st_blocks * 512)
        return home.queue.get(job).state.value == "completed"

    until(written, "the job to end")
    assert min(least) < 3 * 2**20


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 100_000])
def test_an_output_is_whole_whatever_its_length(home, size):
    job = home.enqueue(f"head -c {size} /dev/zero | tr '\\0' x")
    home.worker()
    last = home.ended(job).last
    assert last.output_size == size
    assert last.tail == b"x" * min(size, 4096)
    assert home.cli("logs", job) == "x" * size


def test_bytes_that_are_no_text_are_kept_as_they_are(home):
    job = home.enqueue("printf '\\377\\376 \\303\\244 \\000 end'")
    home.worker()
    assert home.ended(job).last.tail == b"\xff\xfe \xc3\xa4 \x00 end"
    assert home.document("show", job)["output"] == "�� ä \x00 end"


def test_short_outputs_of_one_slot_do_not_mix(home):
    jobs = [home.enqueue(f"echo {number}") for number in range(50)]
    home.worker(concurrency=1)
    for number, job in enumerate(jobs):
        assert home.ended(job).last.tail == f"{number}\n".encode()


def test_each_attempt_keeps_its_own_output(home):
    job = home.enqueue("echo attempt $QUEUECTL_ATTEMPT; exit 1", max_retries=1, backoff_base=1, backoff_max=0)
    home.worker()
    home.ended(job)
    assert [attempt.tail for attempt in home.queue.attempts(job)] == [b"attempt 1\n", b"attempt 2\n"]


def test_stdin_is_what_the_job_says(home):
    job = home.enqueue("cat", stdin="grüße\n")
    nothing = home.enqueue("cat")
    home.worker()
    assert home.ended(job).last.tail == "grüße\n".encode()
    assert home.ended(nothing).last.tail == b""


@pytest.mark.parametrize(
    "word", ["it's", 'say "hi"', "100%", "$HOME", "two\nlines", "[/nope]", "🎉 ü", "a\\b", "*", "; exit 9", "\x1b[31m"]
)
def test_an_argument_arrives_as_it_was_given(home, word):
    job = home.enqueue(["printf", "%s", word])
    home.worker()
    ended = home.ended(job)
    assert (ended.state.value, ended.last.tail) == ("completed", word.encode())
    shown = home.cli("list")
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown
    assert home.document("list")[0]["argv"] == ["printf", "%s", word]


def test_what_an_attempt_used_is_on_record(home):
    job = home.enqueue("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
    home.worker()
    last = home.ended(job).last
    assert last.pid > 0
    assert last.max_rss > 2**20
    assert last.cpu_user > 0
    assert last.worker == "default-0"
    assert last.finished_at >= last.started_at
