"""Torments a queue, and then has a checker look whether anything was lost, doubled, overlapped or left over.

    python tests/chaos/run.py --seconds 3600 [--seed N] [--record FILE]
    python tests/chaos/run.py --kills-only --jobs 10000 [--seed N] [--record FILE]

Real workers under a real supervisord, jobs that trace themselves, enqueuers that note what they were told, and an
adversary. What is done to whom follows from the seed; what comes of it is the machine's. As root, where there are loop
devices, the home is a small ext4 in a mount namespace of its own, which can be full and turn read-only. Exit 1:
something was found, and RUN is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("lost", "doubled", "overlapped", "left_over", "wrong")


def main() -> int:
    asked = arguments()
    if asked.run is None:
        return in_a_place_of_its_own(asked)
    document = torment(asked)
    figures = {kind: len(document["findings"][kind]) for kind in KINDS}
    found = any(figures.values())
    if found:
        shutil.copytree(os.path.join(asked.run, "home"), os.path.join(asked.run, "kept"), ignore=sockets)
        print(json.dumps({kind: lines[:20] for kind, lines in document["findings"].items() if lines}, indent=2))
    record = {**document["record"], **figures}
    print(json.dumps(record, indent=2), flush=True)
    if asked.record:
        keep(asked.record, record)
    return int(found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long the adversary acts")
    parser.add_argument(
        "--kills-only", action="store_true", help="kill -9 of a random worker each half second, no more"
    )
    parser.add_argument("--jobs", type=int, default=10_000, help="how many, where there are kills only")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--record", metavar="FILE", help="keep the figures in this JSON file")
    parser.add_argument("--patience", type=float, default=180, help="seconds for all to end, when the faults are over")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_a_place_of_its_own(asked: argparse.Namespace) -> int:
    run = tempfile.mkdtemp(prefix="chaos-")
    print(f"seed {asked.seed}, in {run}", flush=True)
    os.mkdir(os.path.join(run, "home"))
    words = [sys.executable, *sys.argv, "--run", run, "--seed", str(asked.seed)]
    from disk import can_have_disk, make_disk

    if can_have_disk():
        make_disk(run)
        words = ["unshare", "-m", *words]
    code = subprocess.run(words).returncode
    if code == 0:
        shutil.rmtree(run)
    return code


def torment(asked: argparse.Namespace) -> dict:
    from adversary import Adversary
    from disk import has_disk, mount_disk
    from stage import WORKERS, Stage

    began = time.monotonic()
    if has_disk(asked.run):
        mount_disk(asked.run)
    stage = Stage(asked.run, asked.seed)
    adversary = Adversary(stage, asked.seed)
    try:
        stage.command("worker", "start", "--count", str(WORKERS))
        if asked.kills_only:
            each = -(-asked.jobs // 3)
            for number in range(3):
                stage.enqueue(number, each)
            until = time.monotonic() + max(asked.patience, asked.jobs / 3)
            adversary.kill(0.5, lambda: time.monotonic() < until and not done(stage))
        else:
            for number in range(3):
                stage.enqueue(number)
            adversary.before_each = stage.tend
            adversary.torment(asked.seconds)
        duration = time.monotonic() - began
        drained = stage.drain(asked.patience)
        stage.stop(force=not drained)
        checked = subprocess.run(
            [sys.executable, os.path.join(_HERE, "checker.py"), asked.run], stdout=subprocess.PIPE, text=True
        )
        failed_commands = stage.failed_commands
    finally:
        stage.close()
    found = json.loads(checked.stdout)
    record = {
        "mode": "kills" if asked.kills_only else "mixed",
        "seed": asked.seed,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(duration),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        **{key: found[key] for key in ("jobs", "acknowledged", "refused", "executions", "states")},
        "faults": dict(sorted(adversary.faults.items())),
        "failed_commands": failed_commands,
    }
    return {"record": record, "findings": found["findings"]}


def done(stage) -> bool:
    """Whether the enqueuers, who have a number of jobs to do, are done, and all jobs have ended."""
    return all(process.poll() is not None for process in stage.enqueuers.values()) and stage.unended() == 0


def commit() -> str:
    found = subprocess.run(["git", "-C", _HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run(["git", "-C", _HERE, "status", "--porcelain", "../../queuectl"], capture_output=True)
    return (found.stdout.strip() or "unknown") + ("+" if changed.stdout else "")


def keep(path: str, record: dict) -> None:
    """The record, in the place of the former one of its mode."""
    records = {}
    if os.path.exists(path):
        with open(path) as file:
            records = json.load(file)
    records[record["mode"]] = record
    with open(path, "w") as file:
        json.dump(records, file, indent=2)
        file.write("\n")


def sockets(directory: str, names: list[str]) -> list[str]:
    """What can't be copied."""
    return [name for name in names if stat.S_ISSOCK(os.lstat(os.path.join(directory, name)).st_mode)]


if __name__ == "__main__":
    sys.exit(main())
