"""YAML with positions, and its traps."""

from __future__ import annotations

import pytest
import yaml

from queuectl.config.document import MAX_DEPTH, parse
from queuectl.config.tree import MAX_BYTES, Node, Trap


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request, monkeypatch):
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def read(text: str | bytes) -> object:
    node, problems = parse(text, "f")
    assert problems == []
    return node.plain()


def wrong(text: str | bytes) -> list[str]:
    return [str(problem) for problem in parse(text, "f")[1]]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "--- \n...\n", "~", "\ufeff"])
def test_an_empty_file_is_nothing(text):
    assert read(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1.5e+3", 1500.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ('"3"', "3"),
        ("'no'", "no"),
        ('"12:30"', "12:30"),
        ("5m", "5m"),
        ("sqlite:////a/b", "sqlite:////a/b"),
        ("2026-01-01", "2026-01-01"),
        ("y", "y"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[a, 1, [b]]", ["a", 1, ["b"]]),
        ("{a: {b: c}, d: }", {"a": {"b": "c"}, "d": None}),
        ('"\\x1b[0m"', "\x1b[0m"),
    ],
)
def test_values_are_what_they_say(text, value):
    assert read(text) == value
    assert type(read(text)) is type(value)


def test_a_whole_number_as_a_key_is_its_text():
    assert read("12: a") == {"12": "a"}


def test_every_value_knows_its_line():
    node, _ = parse("a: 1\n\nb:\n  c:\n    - x\n    - y\n", "dir/f.yaml")
    assert node.value["a"] == Node(1, "dir/f.yaml:1")
    assert node.value["b"].where == "dir/f.yaml:3"
    assert node.value["b"].value["c"].where == "dir/f.yaml:4"
    assert [item.where for item in node.value["b"].value["c"].value] == ["dir/f.yaml:5", "dir/f.yaml:6"]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("no", "false"),
        ("Yes", "true"),
        ("on", "true"),
        ("OFF", "false"),
        ("12:30", "base of 60"),
        ("1:30.5", "base of 60"),
        ("010", "another notation"),
        ("0x10", "another notation"),
        ("1_000", "another notation"),
        ("+5", "another notation"),
        (".inf", "another notation"),
        (".nan", "another notation"),
        ("9" * 5000, "huge"),
    ],
)
def test_what_yaml_reads_otherwise_is_a_trap_that_says_to_quote(text, meaning):
    value = read(text)
    assert isinstance(value, Trap)
    assert meaning in str(value)
    assert "put it in quotes" in str(value)
    assert len(str(value)) < 200


@pytest.mark.parametrize("key", ["no", "on", "12:30", "010", "true", "null", "1.5", "~", "[a]", "{a: b}", "<<"])
def test_a_key_that_is_no_name_is_a_problem(key):
    assert [said[:33] for said in wrong(f"x: 1\n? {key}\n: 1\n")] == ["f:2: expected a name as the key, "]


@pytest.mark.parametrize("key", ['"no"', "'12:30'", '"<<"', "a b", "1"])
def test_a_quoted_key_is_a_name(key):
    assert len(read(f"{key}: 1")) == 1


def test_a_key_twice_is_a_problem_that_names_both_lines():
    assert wrong("a: 1\nb: 2\na: 3\n") == ["f:3: key 'a' is there twice, first on line 1"]
    assert wrong("p:\n  a: 1\n  a: 1\n") == ["f:3: key 'a' is there twice, first on line 2"]
    assert wrong("1: a\n'1': b\n") == ["f:2: key '1' is there twice, first on line 1"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (b"a: 1\nb: \xff\n", 2, "expected UTF-8, got the byte 0xff"),
        ("a: b".encode("utf-16"), 1, "expected UTF-8"),
        (b"a: 1\n\nb: \0\n", 3, "control character U+0000"),
        (b'a: 1\nb: "x\\0y"\n', 2, "got U+0000"),
        (b"a: \x1b", 1, "control character U+001B"),
        (b"a:\n\tb: 1\n", 2, "got a tab"),
        (b"a: 1\nb: [1, 2\nc: 3\n", 3, "not valid YAML"),
        (b"a: b: c\n", 1, "not valid YAML"),
        (b'a: "open\n', 2, "not valid YAML"),
        (b"a: 1\n---\nb: 1\n", 2, "one YAML document"),
        (b"a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        (b"a: !x 1\n", 1, "tag"),
        (b"a: !!int '1'\n", 1, "tag"),
        (b"a: *nothing\n", 1, "*nothing"),
        (b"a: &x [*x]\n", 1, "*x"),
        (b"a: &x {b: *x}\n", 1, "*x"),
        (b"[" * 100_000, 1, "levels of nesting"),
        (b"{a: " * 10_000, 1, "levels of nesting"),
        (b"- " * 5_000, 1, "levels of nesting"),
        (b"a: 1\n" * (MAX_BYTES // 5 + 1), 1, "at most 1 MiB"),
        (b"[" + b"1," * 30_000 + b"]", 1, "at most 20000 values"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_line(text, line, says):
    first = wrong(text)[0]
    assert first.startswith(f"f:{line}: ")
    assert says in first
    assert len(first) < 300


def test_an_escape_that_names_no_character_is_a_problem():
    assert "f:1: " in wrong(b'a: "\\UFFFFFFFF"')[0]
    assert "f:1: " in wrong(b'a: "\\ud800"')[0]


def test_an_alias_stands_for_its_value():
    assert read("a: &x {k: v}\nb: *x\n") == {"a": {"k": "v"}, "b": {"k": "v"}}


def test_a_bomb_of_aliases_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert "what aliases stand for counts" in wrong("\n".join(lines))[0]


def test_nesting_up_to_the_limit_is_read():
    read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
