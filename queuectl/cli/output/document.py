"""Jobs, attempts and workers as JSON. Times are RFC 3339, durations seconds, sizes bytes; what is absent is null."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from queuectl.domain.clock import rfc3339
from queuectl.domain.job import Attempt, Job

Document = Mapping[str, object]
MASK = "***"
"""Stands for the value of a variable: what is printed ends in logs and in reports of bugs."""


def write_json(document: object) -> None:
    """Print one document."""
    _write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write_json_array(documents: Iterable[Document]) -> None:
    """Print documents as one array, one a line, as they come."""
    start = "[\n"
    for document in documents:
        _write(start + json.dumps(document, ensure_ascii=False))
        start = ",\n"
    _write("[]\n" if start == "[\n" else "\n]\n")


def write_json_lines(documents: Iterable[Document]) -> None:
    """Print documents one a line, without more around them."""
    for document in documents:
        _write(json.dumps(document, ensure_ascii=False) + "\n")


def _write(text: str) -> None:
    # JSON is UTF-8 whatever the locale says. Of a lone surrogate, `backslashreplace` makes its escape in JSON.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))


def job_document(job: Job, *, unmasked: bool = False) -> Document:
    """A job with what its last attempt did. Of its environment only the names, but `unmasked`."""
    spec, last = job.spec, job.last
    return {
        "id": job.id,
        "command": spec.command,
        "state": job.state.value,
        "attempts": job.attempts,
        "max_retries": job.max_retries,
        "priority": job.priority,
        "queue": job.queue,
        "timeout": seconds(spec.timeout_ms),
        "created_at": time(job.created_at),
        "updated_at": time(job.updated_at),
        "run_at": time(job.run_at),
        "started_at": time(last.started_at) if last else None,
        "finished_at": time(job.finished_at),
        "exit_code": last.exit_code if last else None,
        "signal": last.signal if last else None,
        "error": last.error if last else None,
        "output": text(last.tail) if last else None,
        "worker": last.worker or None if last else None,
        "tags": list(spec.tags),
        "reason": job.reason,
        "enqueued_by": job.enqueued_by,
        "description": spec.description,
        "argv": list(spec.argv) if spec.argv else None,
        "cwd": spec.cwd,
        "env": {name: value if unmasked else MASK for name, value in (spec.env or {}).items()},
        "env_file": spec.env_file,
        "stdin": spec.stdin,
        "unique_key": job.unique_key,
        "backoff_base": spec.backoff_base,
        "backoff_max": seconds(spec.backoff_max_ms),
        "backoff_jitter": spec.backoff_jitter,
        "no_retry_exit_codes": list(spec.no_retry_exit_codes),
        "kill_grace": seconds(spec.kill_grace_ms),
        "output_limit": spec.output_limit,
    }


def job_with_attempts(job: Job, attempts: Sequence[Attempt], *, unmasked: bool = False) -> Document:
    """A job with all its executions; `unmasked` as in `job_document`."""
    return {**job_document(job, unmasked=unmasked), "attempts_log": [attempt_document(attempt) for attempt in attempts]}


def attempt_document(attempt: Attempt) -> Document:
    """One execution."""
    return {
        "number": attempt.number,
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "host": attempt.host or None,
        "worker": attempt.worker or None,
        "pid": attempt.pid,
        "started_at": time(attempt.started_at),
        "finished_at": time(attempt.finished_at),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "error": attempt.error,
        "max_rss": attempt.max_rss,
        "cpu_user": attempt.cpu_user,
        "cpu_system": attempt.cpu_system,
        "output_size": attempt.output_size,
    }


def time(ms: int | None) -> str | None:
    """RFC 3339, or null."""
    return None if ms is None else rfc3339(ms)


def seconds(ms: int) -> float:
    """Whole seconds are whole in JSON too."""
    return ms // 1000 if ms % 1000 == 0 else ms / 1000


def text(data: bytes | None) -> str | None:
    """Output as text; what isn't UTF-8 becomes U+FFFD."""
    return None if data is None else data.decode("utf-8", "replace")
