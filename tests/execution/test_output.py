"""What an attempt prints: bounded, wherever it ends up, with its head and its tail."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from processes import Runner, wait_until

from queuectl.domain.job import MAX_TAIL, Spec
from queuectl.execution.mark import mark_of
from queuectl.execution.output import Output, Written, salvage
from queuectl.execution.place import (
    forget_outputs,
    forget_spool,
    output_directory,
    output_path,
    spool_directory,
    spool_path,
)
from queuectl.execution.spawn import spawn
from queuectl.execution.tree import Termination

BLOCK = 4096


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    return str(tmp_path / "output")


@pytest.fixture
def output(outputs: str) -> Iterator[Output]:
    made = Output.create(outputs, "uuid", 0)
    yield made
    made.close()


def pattern(size: int) -> bytes:
    """Bytes that say where they are."""
    return b"".join(b"%09d\n" % place for place in range(0, size, 10))[:size]


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def blocks_of(path: str) -> int:
    return os.stat(path).st_blocks * 512


def test_a_short_output_stays_out_of_the_directories_and_its_spool_serves_again(output: Output, outputs: str) -> None:
    place = output_path(outputs, "job", 1)
    for text in (b"first\n", b"", b"second", b"\xff\xfe\x00", b"x" * MAX_TAIL):
        os.write(output.fd, text)
        assert output.finish(place, 10_000) == Written(len(text), text)
        assert not output.placed
        assert os.listdir(outputs) == ["+uuid"]
        assert os.path.getsize(spool_path(outputs, "uuid", 0)) == 0


def test_an_output_above_the_tail_gets_its_place(output: Output, outputs: str) -> None:
    place = output_path(outputs, "job", 1)
    text = pattern(MAX_TAIL + 1)
    os.write(output.fd, text)
    assert output.finish(place, 10_000) == Written(len(text), text[1:])
    assert content(place) == text
    assert output.placed
    assert os.stat(place).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(place)).st_mode & 0o777 == 0o700
    assert not os.path.exists(spool_path(outputs, "uuid", 0))


def test_a_moved_output_stays_where_it_is_even_if_short(output: Output, outputs: str) -> None:
    place = output_path(outputs, "job", 2)
    output.move_to(place)
    assert content(place) == b""
    output.move_to(place)  # again is nothing
    os.write(output.fd, b"late\n")  # the command goes on writing
    assert content(place) == b"late\n"
    assert output.finish(place, 10_000) == Written(5, b"late\n")
    assert content(place) == b"late\n"
    assert output.placed


def test_what_the_worker_says_is_part_of_the_output(output: Output, outputs: str) -> None:
    output.write("can't run: é\udcff\n")
    assert output.finish(output_path(outputs, "j", 1), 10_000).tail == "can't run: é?\n".encode()


def test_a_spool_is_emptied_when_it_is_made_and_no_link_is_followed(outputs: str, tmp_path: Path) -> None:
    first = Output.create(outputs, "uuid", 3)
    os.write(first.fd, b"left over")
    first.close()
    second = Output.create(outputs, "uuid", 3)
    assert os.fstat(second.fd).st_size == 0
    second.close()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.unlink(spool_path(outputs, "uuid", 3))
    os.symlink(victim, spool_path(outputs, "uuid", 3))
    with pytest.raises(OSError, match="symbolic links"):
        Output.create(outputs, "uuid", 3)
    assert victim.read_text() == "precious"


@given(
    st.integers(BLOCK, 60_000),
    st.one_of(st.integers(0, 150_000), st.integers(-3, 3)),
    st.booleans(),
    st.lists(st.integers(1, 150_000), max_size=3),
)
@example(10_000, 100_000, False, [60_000])
@example(10_001, 100_000, True, [30_000, 60_000])
def test_head_and_tail_are_kept_and_the_middle_is_named(
    tmp_path_factory: pytest.TempPathFactory, limit: int, size: int, moved: bool, trims: list[int]
) -> None:
    if size < 4:  # the boundaries: around the limit, and around the block above it
        size = limit + size + (BLOCK if moved else 0)
    outputs = str(tmp_path_factory.mktemp("outputs"))
    output = Output.create(outputs, "uuid", 0)
    try:
        place = output_path(outputs, "job", 1)
        if moved:
            output.move_to(place)
        text, written = pattern(size), 0
        for until in sorted({min(trim, size) for trim in trims} | {size}):
            os.write(output.fd, text[written:until])
            written = until
            if until < size:
                output.trim(limit)
        assert output.finish(place, limit) == Written(size, text[-MAX_TAIL:] if size else b"")
        if size <= MAX_TAIL and not moved:
            assert not os.path.exists(place)
            return
        kept = content(place)
        assert len(kept) <= limit + BLOCK
        if size < limit:
            assert kept == text
        if len(kept) < size or kept != text:
            head, note, tail = kept.partition(b"\n[queuectl: ")
            assert note
            assert head == text[: limit // 2]
            left_out, _, tail = tail.partition(b" bytes left out here: the output is longer than output_limit]\n")
            assert tail == text[size - limit // 2 :]
            assert len(head) + int(left_out) + len(tail) == size
            assert b"\0" not in kept
    finally:
        output.close()


@pytest.mark.parametrize("limit", [100_000, 2**20, 10 * 2**20])
def test_a_long_output_is_cut_to_about_its_limit(output: Output, outputs: str, limit: int) -> None:
    place = output_path(outputs, "job", 1)
    for _ in range(3):
        os.write(output.fd, b"y" * limit)
    assert output.finish(place, limit).size == 3 * limit
    assert limit * 0.8 <= os.path.getsize(place) <= limit * 1.2


def test_trimming_gives_blocks_back_while_head_and_tail_stay(output: Output, outputs: str) -> None:
    limit = 64 * 1024 + 3001
    for number in range(1, 40):
        os.write(output.fd, pattern(100_000))
        output.trim(limit)
        path = spool_path(outputs, "uuid", 0)
        assert os.path.getsize(path) == number * 100_000
        assert blocks_of(path) <= max(limit + 4 * BLOCK, 100_000 if number == 1 else 0)
        assert os.pread(output.fd, limit // 2, 0) == pattern(100_000)[: limit // 2]
        assert os.pread(output.fd, limit // 2, number * 100_000 - limit // 2) == pattern(100_000)[-(limit // 2) :]
    written = output.finish(output_path(outputs, "job", 1), limit)
    assert written.size == 39 * 100_000
    assert b"\0" not in content(output_path(outputs, "job", 1))


def test_trimming_below_the_limit_or_again_does_nothing(output: Output, outputs: str) -> None:
    os.write(output.fd, pattern(BLOCK))
    output.trim(BLOCK)
    assert os.pread(output.fd, BLOCK, 0) == pattern(BLOCK)
    os.write(output.fd, pattern(50 * BLOCK))
    output.trim(8 * BLOCK)
    before = blocks_of(spool_path(outputs, "uuid", 0))
    output.trim(8 * BLOCK)
    assert blocks_of(spool_path(outputs, "uuid", 0)) == before


def test_a_writer_at_full_speed_is_kept_in_bounds(outputs: str, tmp_path: Path) -> None:
    limit = 2**20
    output = Output.create(outputs, "uuid", 0)
    mark = mark_of("output", 1, 1)
    script = (
        "import os\nchunk = b''.join(b'%09d\\n' % n for n in range(10_000))\nos.write(1, b'HEAD\\n')\n"
        "for _ in range(2000): os.write(1, chunk)\nos.write(1, b'TAIL\\n')"
    )
    place = output_path(outputs, "job", 1)
    most = 0
    try:
        spec = Spec("", argv=(sys.executable, "-S", "-c", script), cwd=str(tmp_path))
        pid = spawn(spec, mark, {b"PATH": os.environ["PATH"].encode()}, output.fd)
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            output.trim(limit)
            most = max(most, os.fstat(output.fd).st_blocks * 512)
            if most > 2 * limit:
                output.move_to(place)
        written = output.finish(place, limit)
    finally:
        Termination(mark, 0, 0).step(1)
        output.close()
    assert written.size == 10 + 2000 * 100_000
    assert written.tail.endswith(b"000009999\nTAIL\n")
    kept = content(place)
    assert kept.startswith(b"HEAD\n000000000\n")
    assert kept.endswith(b"000009999\nTAIL\n")
    assert b"\0" not in kept
    assert len(kept) <= limit * 1.2
    assert most < 200_000_000 / 2  # a part of it was given back on the way


def test_a_job_that_empties_its_own_output_does_no_harm(output: Output, outputs: str) -> None:
    limit = 8 * BLOCK
    os.write(output.fd, pattern(50 * BLOCK))
    output.trim(limit)
    os.truncate(spool_path(outputs, "uuid", 0), 0)
    os.write(output.fd, b"anew\n")
    output.trim(limit)
    assert output.finish(output_path(outputs, "job", 1), limit) == Written(5, b"anew\n")


def test_the_tail_may_cut_a_letter_in_two(output: Output, outputs: str) -> None:
    os.write(output.fd, ("é" * 3000).encode() + b"x")
    tail = output.finish(output_path(outputs, "job", 1), 100_000).tail
    assert len(tail) == MAX_TAIL
    assert tail.decode(errors="replace").startswith("\ufffdé")


# What a worker that died left behind.


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("size", [0, 5, MAX_TAIL, MAX_TAIL + 1, 300_000])
def test_the_output_of_a_dead_worker_is_salvaged(outputs: str, moved: bool, size: int) -> None:
    dead = Output.create(outputs, "uuid", 2)
    place = output_path(outputs, "job", 3)
    text = pattern(size)
    os.write(dead.fd, text[: size // 2])
    if moved:
        dead.move_to(place)
    os.write(dead.fd, text[size // 2 :])
    dead.close()
    assert salvage(outputs, "job", 3, "uuid", 2, 100_000) == Written(size, text[-MAX_TAIL:] if size else b"")
    assert os.path.exists(place) is (moved or size > MAX_TAIL)
    if size > 100_000:
        assert b"bytes left out here" in content(place)
        # Who recovers it a second time, since its own death came between, finds what is there.
        again = salvage(outputs, "job", 3, "uuid", 2, 100_000)
        assert again.tail == text[-MAX_TAIL:]


def test_there_may_be_nothing_to_salvage(outputs: str) -> None:
    assert salvage(outputs, "job", 1, "uuid", 0, 100_000) == Written(0, b"")
    os.makedirs(output_path(outputs, "job", 1))  # not a file
    assert salvage(outputs, "job", 1, "uuid", 0, 100_000) == Written(0, b"")


def test_an_orphan_goes_on_writing_where_its_output_was_moved(runner: Runner, outputs: str) -> None:
    output = Output.create(outputs, "uuid", 0)
    fifo = os.path.join(runner.directory, "go")
    os.mkfifo(fifo)
    runner.mark = mark_of("orphan", 1, 1)
    spec = Spec(f"echo one; read line < {fifo}; echo two", cwd=runner.directory)
    pid = spawn(spec, runner.mark, {b"PATH": os.environ["PATH"].encode()}, output.fd)
    runner.started.append((runner.mark, pid))
    place = output_path(outputs, "job", 1)
    output.move_to(place)
    output.close()  # the worker is gone
    with open(fifo, "w") as file:
        file.write("go\n")
    os.waitpid(pid, 0)
    assert content(place) == b"one\ntwo\n"
    assert salvage(outputs, "job", 1, "uuid", 0, 100_000) == Written(8, b"one\ntwo\n")


def test_places_are_apart_and_forgotten_apart(outputs: str) -> None:
    for uuid in ("u1", "u2"):
        Output.create(outputs, uuid, 0).close()
    for number in (1, 2):
        output = Output.create(outputs, "u1", number)
        os.write(output.fd, b"x" * 5000)
        output.finish(output_path(outputs, "job", number), 10_000)
        output.close()
    assert sorted(os.listdir(outputs)) == ["+u1", "+u2", "job"]
    forget_spool(outputs, "u1")
    forget_spool(outputs, "u1")
    assert sorted(os.listdir(outputs)) == ["+u2", "job"]
    assert sorted(os.listdir(output_directory(outputs, "job"))) == ["1", "2"]
    forget_outputs(outputs, "job")
    forget_outputs(outputs, "never-there")
    assert os.listdir(outputs) == ["+u2"]
    assert spool_directory(outputs, "x").startswith(outputs)


def test_a_place_that_cannot_be_made_is_an_error_and_finish_can_be_called_again(runner: Runner, outputs: str) -> None:
    output = Output.create(outputs, "uuid", 0)
    os.write(output.fd, pattern(300_000))
    Path(runner.directory, "file").touch()
    with pytest.raises(NotADirectoryError):
        output.finish(os.path.join(runner.directory, "file", "1"), 100_000)
    assert output.finish(output_path(outputs, "job", 1), 100_000).size == 300_000
    output.close()


def test_a_killed_writer_leaves_what_it_wrote(runner: Runner) -> None:
    pid = runner.start("printf 'no newline'; kill -STOP $$")
    wait_until(lambda: runner.output() == "no newline")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert runner.output() == "no newline"
