"""Whether anything was lost, doubled, overlapped or left over: reads what a run of the harness left behind.

    python checker.py RUN      prints the findings as JSON; exit 1 if there are any

It knows nothing of queuectl's code. RUN holds `trace`, what the jobs themselves wrote; `acks/*`, what the enqueuers
noted once they had been told that a job is in; and `home/queue.db`, where a trigger of the harness has noted each
write of a job's state in `chaos_moves`. Run it when nothing else runs: it reads with the standard library's SQLite.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import Counter, defaultdict
from typing import NamedTuple

MOVES = {
    ("scheduled", "pending"),
    ("failed", "pending"),
    ("pending", "processing"),
    ("processing", "pending"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "dead"),
    ("processing", "cancelled"),
    ("pending", "cancelled"),
    ("scheduled", "cancelled"),
    ("failed", "cancelled"),
}
ENDED = ("completed", "dead", "cancelled")


class Execution:
    """What one attempt's processes wrote of themselves; times are of the monotonic clock, in nanoseconds."""

    def __init__(self) -> None:
        self.begins: list[int] = []
        self.last = 0
        """The last sign of life of any of its processes."""
        self.code: int | None = None


class Row(NamedTuple):
    """An attempt as the database has it."""

    number: int
    outcome: str | None
    exit_code: int | None
    signal: int | None


class Findings:
    """What is wrong, by kind: each is a line that names the job."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[str]] = {
            kind: [] for kind in ("lost", "doubled", "overlapped", "left_over", "wrong")
        }

    def add(self, kind: str, line: str) -> None:
        self.kinds[kind].append(line)


def read_trace(path: str) -> dict[str, dict[int, Execution]]:
    """By job and attempt."""
    found: dict[str, dict[int, Execution]] = defaultdict(lambda: defaultdict(Execution))
    if not os.path.exists(path):
        return found
    with open(path) as file:
        for line in file:
            what, job, attempt, moment, _pid, *more = line.split()
            execution = found[job][int(attempt)]
            if what == "begin":
                execution.begins.append(int(moment))
            elif what == "end":
                execution.code = int(more[0])
            execution.last = max(execution.last, int(moment))
    return found


def read_acks(directory: str) -> dict[str, set[str]]:
    """The ids by what was noted of them: ack (it is in), refused (it isn't), unsure (it may be), cancel (about to ask
    for it)."""
    found: dict[str, set[str]] = {"ack": set(), "refused": set(), "unsure": set(), "cancel": set()}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name)) as file:
            for line in file:
                if line.endswith("\n"):  # else its writer was killed on the way
                    what, job = line.split()
                    found[what].add(job)
    return found


def check_executions(job: str, executions: dict[int, Execution], findings: Findings) -> None:
    """No attempt began twice, and none while a process of a former one was alive."""
    alive_until, former = 0, 0
    for number, execution in sorted(executions.items()):
        if len(execution.begins) > 1:
            findings.add("doubled", f"{job}: attempt {number} began {len(execution.begins)} times")
        if not execution.begins:
            findings.add("wrong", f"{job}: attempt {number} lived but never began")
        elif min(execution.begins) <= alive_until:
            late = (alive_until - min(execution.begins)) / 1e6
            findings.add("overlapped", f"{job}: attempt {former} lived {late:.1f} ms into attempt {number}")
        if execution.last > alive_until:
            alive_until, former = execution.last, number


def check_attempt(job: str, row: Row, execution: Execution | None, findings: Findings) -> None:
    """The database says of the attempt what the attempt says of itself."""
    if row.outcome is None:
        findings.add("lost", f"{job}: attempt {row.number} never ended")
    elif row.outcome == "completed" and (execution is None or execution.code != 0):
        findings.add("wrong", f"{job}: attempt {row.number} is completed, but didn't end well")
    elif row.exit_code is not None and (execution is None or execution.code != row.exit_code):
        findings.add("wrong", f"{job}: attempt {row.number} has exit code {row.exit_code}, but not by its trace")
    elif row.outcome in ("failed", "timeout") and execution is None and row.signal is None:
        findings.add("wrong", f"{job}: attempt {row.number} is {row.outcome}, but was never executed")


def check_job(
    job: str,
    facts: tuple[str, int, int, int],
    rows: list[Row],
    executions: dict[int, Execution],
    may_be_cancelled: bool,
    findings: Findings,
) -> None:
    """It ended, as its last attempt says, and its counters count its executions."""
    state, attempts, max_retries, claims = facts
    known = {row.number for row in rows}
    for row in rows:
        check_attempt(job, row, executions.get(row.number), findings)
    for number in executions.keys() - known:
        findings.add("wrong", f"{job}: attempt {number} was executed, but isn't in the database")
    if known != set(range(1, claims + 1)):
        findings.add("wrong", f"{job}: claimed {claims} times, but has the attempts {sorted(known)}")
    counted = sum(row.outcome != "released" for row in rows)
    if counted != attempts:
        findings.add("wrong", f"{job}: counts {attempts} attempts, but had {counted}")
    if state not in ENDED:
        findings.add("lost", f"{job}: is still {state}")
        return
    completed = sum(row.outcome == "completed" for row in rows)
    last = max(rows).outcome if rows else None
    if completed > 1:
        findings.add("doubled", f"{job}: completed {completed} times")
    if state == "completed" and last != "completed":
        findings.add("lost", f"{job}: is completed, but its last attempt is {last}")
    if state == "dead" and (completed or attempts != max_retries + 1):
        findings.add("wrong", f"{job}: is dead after {attempts} of {max_retries + 1} attempts, {completed} completed")
    if state == "cancelled" and not may_be_cancelled:
        findings.add("lost", f"{job}: is cancelled, and nobody asked for it")


def check_moves(names: dict[int, str], moves: list[tuple[int, str, str, int]], findings: Findings) -> None:
    """Every change of a state was a legal one; each job was finalised once, each claim ended at most once."""
    finals: Counter[int] = Counter()
    ends: Counter[tuple[int, int]] = Counter()
    for job, before, after, claim in moves:
        name = names.get(job, f"row {job}")
        if (before, after) not in MOVES:
            findings.add("wrong", f"{name}: went from {before} to {after}")
        if after in ENDED:
            finals[job] += 1
        if before == "processing" or after in ("completed", "failed", "dead"):
            ends[job, claim] += 1
    for job, count in finals.items():
        if count > 1:
            findings.add("doubled", f"{names.get(job)}: was finalised {count} times")
    for (job, claim), count in ends.items():
        if count > 1:
            findings.add("doubled", f"{names.get(job)}: attempt {claim} was ended {count} times")


def check_database(
    path: str, executed: dict[str, dict[int, Execution]], acks: dict[str, set[str]], findings: Findings
) -> dict[str, int]:
    """All that the database has to say; returns how many jobs ended in each state."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for (line,) in database.execute("PRAGMA integrity_check"):
        if line != "ok":
            findings.add("wrong", f"integrity_check: {line}")
    for row in database.execute("PRAGMA foreign_key_check"):
        findings.add("wrong", f"foreign_key_check: {row}")
    names = dict(database.execute("SELECT id, public_id FROM jobs"))
    rows: dict[str, list[Row]] = defaultdict(list)
    for job, *row in database.execute(
        "SELECT job_id, number, outcome, exit_code, signal FROM attempts ORDER BY job_id, number"
    ):
        rows[names.get(job, f"row {job}")].append(Row(*row))
    states: Counter[str] = Counter()
    for job, *facts in database.execute("SELECT public_id, state, attempts, max_retries, claim_seq FROM jobs"):
        states[facts[0]] += 1
        check_job(job, tuple(facts), rows[job], executed.get(job, {}), job in acks["cancel"], findings)
    there = set(names.values())
    for job in sorted(acks["ack"] - there):
        findings.add("lost", f"{job}: was acknowledged, and isn't there")
    for job in sorted(acks["refused"] & there):
        findings.add("wrong", f"{job}: was refused, and is there")
    for job in sorted(executed.keys() - there):
        findings.add("lost", f"{job}: was executed, and isn't there")
    counted = set(database.execute("SELECT queue, state, count(*) FROM jobs GROUP BY queue, state"))
    kept = set(database.execute("SELECT queue, state, n FROM job_counts WHERE n <> 0"))
    if counted != kept:
        findings.add("wrong", f"job_counts: {sorted(kept)}, counted: {sorted(counted)}")
    check_moves(
        names, database.execute("SELECT job, before, after, claim FROM chaos_moves ORDER BY n").fetchall(), findings
    )
    database.close()
    return dict(states)


def check_files(home: str, jobs: set[str], findings: Findings) -> None:
    """No output of a job that isn't there, no spool of a worker, no half-made file."""
    outputs = os.path.join(home, "output")
    for name in os.listdir(outputs) if os.path.isdir(outputs) else ():
        if name not in jobs:
            findings.add("left_over", f"output/{name}")
    for name in os.listdir(home):
        if name.endswith((".new", ".tmp", "-journal")):
            findings.add("left_over", name)


def check_processes(run: str, findings: Findings) -> None:
    """No process, but this one and those that started it, has the run's directory in its words or environment."""
    spared, pid = set(), os.getpid()
    while pid > 1:
        spared.add(pid)
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in spared:
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as words, open(f"/proc/{name}/environ", "rb") as environment:
                said = words.read()
                if run.encode() in said + environment.read():
                    findings.add("left_over", f"process {name}: {said.replace(bytes(1), b' ').decode()}")
        except OSError:
            continue


def check(run: str) -> dict[str, object]:
    """Everything; a document with the figures and, by kind, the findings."""
    findings = Findings()
    home = os.path.join(run, "home")
    executed = read_trace(os.path.join(run, "trace"))
    acks = read_acks(os.path.join(run, "acks"))
    for job, executions in executed.items():
        check_executions(job, executions, findings)
    states = check_database(os.path.join(home, "queue.db"), executed, acks, findings)
    jobs = sqlite3.connect(f"file:{home}/queue.db?mode=ro", uri=True)
    check_files(home, {name for (name,) in jobs.execute("SELECT public_id FROM jobs")}, findings)
    jobs.close()
    check_processes(run, findings)
    return {
        "jobs": sum(states.values()),
        "acknowledged": len(acks["ack"]),
        "refused": len(acks["refused"]),
        "states": states,
        "executions": sum(len(one.begins) for each in executed.values() for one in each.values()),
        "findings": findings.kinds,
    }


def main() -> int:
    found = check(sys.argv[1])
    json.dump(found, sys.stdout, indent=2)
    print()
    return int(any(found["findings"].values()))  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
