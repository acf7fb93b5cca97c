"""The door: what a job may say, and what it is refused for.

One table of keys, one reader for each. A reader returns the value as the queue keeps it, or raises ValueError with
what it expected; `read_job` adds the key, what it got, and the nearest name.
"""

from __future__ import annotations

import os
import re
import shlex
from base64 import b32encode
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from queuectl.domain.clock import parse_time
from queuectl.domain.durations import parse_duration, parse_size
from queuectl.domain.job import NewJob, Spec
from queuectl.domain.settings import Settings
from queuectl.domain.shown import shown
from queuectl.domain.states import State
from queuectl.errors import InvalidJob

MAX_COMMAND = 128 * 1024 - 1
"""Bytes: the kernel takes no longer single argument (MAX_ARG_STRLEN less its NUL)."""
MAX_STDIN = 2**20
NOT_BUILT = frozenset(
    {
        "depends_on",
        "concurrency_key",
        "memory_limit",
        "cpu_limit",
        "nice",
        "resources",
        "expires_at",
        "webhook",
        "template",
        "params",
    }
)
"""Keys of features that this version lacks: refused as such, never ignored."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class Defaults(NamedTuple):
    """What a job gets where it says nothing."""

    now: int
    """Milliseconds since the epoch."""
    cwd: str
    spec: Spec
    max_retries: int
    held: bool = False


def defaults(settings: Settings, *, now: int, cwd: str, held: bool = False) -> Defaults:
    """The defaults that `settings` give to a job enqueued `now` from the directory `cwd`."""
    spec = Spec(
        command="",
        cwd=cwd,
        timeout_ms=round(settings.worker_timeout * 1000),
        kill_grace_ms=round(settings.kill_grace * 1000),
        backoff_base=settings.backoff_base,
        backoff_max_ms=round(settings.backoff_max * 1000),
        backoff_jitter=settings.backoff_jitter,
        output_limit=settings.output_limit,
    )
    return Defaults(now, cwd, spec, settings.max_retries, held)


def generate_id() -> str:
    """Eight characters of 40 random bits; base 32 has no 0, 1, 8 or 9 to mistake for a letter."""
    return b32encode(os.urandom(5)).decode("ascii").lower()


def _text(value: object, what: str, longest: int) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{what} without NUL")
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} in valid UTF-8") from None
    if size > longest:
        raise ValueError(f"{what} of at most {longest} bytes")
    return value


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"a whole number from {low} to {high}")

    return read


def _number(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise ValueError(f"a number from {low:g} to {high:g}")

    return read


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value) and value.strip("."):
        return value
    # An id names a directory of the outputs: no slash, and neither "." nor "..".
    raise ValueError("1 to 100 of the characters A-Z a-z 0-9 _ . - and not dots alone")


def _millis(value: object) -> int:
    try:
        return round(parse_duration(value) * 1000)
    except ValueError:
        raise ValueError("a duration like 90, 90s, 5m or 1h30m") from None


def _time(value: object) -> int:
    try:
        return parse_time(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("a time like 2026-11-24T06:45:00Z") from None


def _command(value: object) -> str:
    text = _text(value, "a shell command", MAX_COMMAND)
    if not text.strip():
        raise ValueError("a shell command, not just blanks")
    return text


def _argv(value: object) -> tuple[str, ...]:
    expected = "a list of a program and its arguments"
    if not isinstance(value, (list, tuple)) or not value or not isinstance(value[0], str) or not value[0]:
        raise ValueError(expected)
    argv = tuple(word if word == "" else _text(word, "a list of texts", MAX_COMMAND) for word in value)
    if sum(len(word.encode()) + 1 for word in argv) > MAX_COMMAND:
        raise ValueError(f"{expected}, of at most {MAX_COMMAND} bytes")
    return argv


def _env(value: object) -> dict[str, str]:
    expected = "an object of names and texts"
    if not isinstance(value, dict):
        raise ValueError(expected)
    for name, text in value.items():
        if not isinstance(name, str) or "=" in _text(name, f"{expected}: a name without =", 1000):
            raise ValueError(f"{expected}: a name without =")
        if text != "":
            _text(text, f"{expected}: {shown(name)} as a text", MAX_COMMAND - len(name) - 1)
    return cast("dict[str, str]", value)


def _tags(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or len(listed) > 100:
        raise ValueError("a list of at most 100 texts")
    # Sorted and once each: a tag says a thing about a job, its place says nothing.
    return tuple(sorted({_text(tag, "a list of texts", 100) for tag in listed}))


def _exit_codes(value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("a list of exit codes from 1 to 255")
    read = _whole(1, 255)
    return tuple(sorted({read(code) for code in value}))


def _output_limit(value: object) -> int:
    try:
        size = parse_size(value)
    except ValueError:
        size = 0
    if size < 4096:
        raise ValueError("a size of at least 4KiB")
    return size


_SPEC_KEYS: dict[str, tuple[str, Callable[[object], object]]] = {
    "command": ("command", _command),
    "argv": ("argv", _argv),
    "cwd": ("cwd", lambda value: _text(value, "a directory", 4095)),
    "env": ("env", _env),
    "env_file": ("env_file", lambda value: _text(value, "a file", 4095)),
    "stdin": ("stdin", lambda value: value if value == "" else _text(value, "a text", MAX_STDIN)),
    "timeout": ("timeout_ms", _millis),
    "kill_grace": ("kill_grace_ms", _millis),
    "backoff_base": ("backoff_base", _number(1, 1000)),
    "backoff_max": ("backoff_max_ms", _millis),
    "backoff_jitter": ("backoff_jitter", _number(0, 1)),
    "no_retry_exit_codes": ("no_retry_exit_codes", _exit_codes),
    "output_limit": ("output_limit", _output_limit),
    "tags": ("tags", _tags),
    "description": ("description", lambda value: _text(value, "a text", 1000)),
}
"""What stays with the job: key -> field of Spec, and its reader."""

_JOB_KEYS: dict[str, Callable[[object], object]] = {
    "id": _name,
    "queue": _name,
    "priority": _whole(-(2**31), 2**31 - 1),
    "max_retries": _whole(0, 10_000),
    "unique_key": lambda value: _text(value, "a text", 200),
    "run_at": _time,
    "delay": _millis,
}
"""What decides when and where it runs."""

KEYS = frozenset(_SPEC_KEYS) | frozenset(_JOB_KEYS)
"""Every key that a job may have."""


def read_job(raw: object, given: Defaults) -> NewJob:
    """The job that `raw` (the JSON object, parsed) describes, with the defaults `given`.

    Raises:
        InvalidJob: a wrong type or range, an unknown key, no command; the message names the key, what was
            expected and what was got.
    """
    if not isinstance(raw, dict):
        raise InvalidJob(f'expected a JSON object like {{"command": "echo hello"}}, got {shown(raw)}')
    spec: dict[str, object] = {}
    job: dict[str, object] = {}
    for key, value in raw.items():
        if not isinstance(key, str):
            raise InvalidJob(f"expected texts as keys, got {shown(key)}")
        try:
            if key in _SPEC_KEYS:
                field, read = _SPEC_KEYS[key]
                spec[field] = read(value)
            elif key in _JOB_KEYS:
                job[key] = _JOB_KEYS[key](value)
            else:
                raise _unknown(key)
        except ValueError as error:
            raise InvalidJob(f'"{key}": expected {error}, got {shown(value)}', key=key) from None
    if ("command" in spec) == ("argv" in spec):
        found = 'got both "command" and "argv"' if "command" in spec else "got neither"
        raise InvalidJob(
            f'expected "command" (a text for the shell) or "argv" (a list), {found}',
            key="command",
            hint="""e.g. queuectl enqueue '{"command": "echo hello"}'""",
        )
    if "argv" in spec:
        spec["command"] = shlex.join(cast("tuple[str, ...]", spec["argv"]))
    spec["cwd"] = _path("cwd", given.cwd, cast("str", spec.get("cwd", "")))
    if "env_file" in spec:
        spec["env_file"] = _path("env_file", given.cwd, cast("str", spec["env_file"]))
    run_at = _run_at(job, given.now)
    state = (
        State.HELD if given.held else State.SCHEDULED if run_at is not None and run_at > given.now else State.PENDING
    )
    return NewJob(
        id=cast("str | None", job.get("id")),
        queue=cast(str, job.get("queue", "default")),
        priority=cast(int, job.get("priority", 0)),
        max_retries=cast(int, job.get("max_retries", given.max_retries)),
        state=state,
        run_at=run_at,
        unique_key=cast("str | None", job.get("unique_key")),
        spec=Spec._make(spec.get(field, value) for field, value in zip(Spec._fields, given.spec, strict=True)),
    )


def _path(key: str, base: str, given: str) -> str:
    path = os.path.join(base, os.path.expanduser(given)) if given else base
    try:
        path.encode()
    except UnicodeEncodeError:
        # A name on disk may be any bytes; what the queue keeps is text.
        raise InvalidJob(f'"{key}": expected a path in valid UTF-8, got {shown(path)}', key=key) from None
    return path


def _run_at(job: Mapping[str, object], now: int) -> int | None:
    if "run_at" in job and "delay" in job:
        raise InvalidJob('expected "run_at" or "delay", got both', key="delay")
    if "delay" in job:
        return now + cast(int, job["delay"])
    return cast("int | None", job.get("run_at"))


def _unknown(key: str) -> InvalidJob:
    if key in NOT_BUILT:
        return InvalidJob(f'"{key}" is not built yet in this version of queuectl', key=key)
    from difflib import get_close_matches

    near = get_close_matches(key, sorted(KEYS), n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"a job may have: {', '.join(sorted(KEYS))}"
    return InvalidJob(f'unknown key "{ascii(key[:100])[1:-1]}"', key=key, hint=hint)
