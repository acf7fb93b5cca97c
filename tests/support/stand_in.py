"""A program that behaves towards its service manager as `queuectl worker run` does, and runs no jobs.

Files in the home steer it: `mode-NAME`, or `mode`, holds one word. What it got is written to `events-NAME`.
    refuse    exit 78 at once          crash     exit 1 at once
    busy      has a job, until a file `finish` appears          stubborn  heeds no signal but KILL
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import time
import uuid

from queuectl.pools.presence import Presence, Record

SIGNALS = {signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR2, signal.SIGHUP}


def main() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    parser = argparse.ArgumentParser()
    for name in ("worker", "run"):
        parser.add_argument(name)
    for name in ("--home", "--config", "--pool"):
        parser.add_argument(name)
    parser.add_argument("--instance", type=int)
    args = parser.parse_args()
    name = f"{args.pool}-{args.instance}"
    mode = read(f"{args.home}/mode-{name}") or read(f"{args.home}/mode")
    print(f"{name} begins, pid {os.getpid()}", flush=True)
    if mode in ("refuse", "crash"):
        print("queuectl.yaml:1: expected a number" if mode == "refuse" else "the worker's own words", flush=True)
        sys.exit(78 if mode == "refuse" else 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    presence = Presence.acquire(f"{args.home}/locks", args.pool, args.instance, block=True)
    record = Record(uuid.uuid4().hex, os.getpid(), "running", int(mode == "busy"), 0, time.time_ns() // 10**6, 0)
    terms = 0
    while True:
        if os.path.exists(f"{args.home}/finish"):
            record = record._replace(running=0)
        presence.publish(record := record._replace(beat=record.beat + 1))
        if record.state == "stopping" and record.running == 0 and mode != "stubborn":
            break
        got = signal.sigtimedwait(SIGNALS, 0.05)
        if got is None:
            continue
        signum = signal.Signals(got.si_signo)
        with open(f"{args.home}/events-{name}", "a") as file:
            file.write(f"{signum.name}\n")
        if signum == signal.SIGUSR2:
            record = record._replace(state="draining")
        elif signum == signal.SIGHUP:
            record = record._replace(reloads=record.reloads + 1)
        elif signum in (signal.SIGTERM, signal.SIGQUIT):
            terms += 1
            record = record._replace(state="stopping")
            if signum == signal.SIGQUIT or terms > 1 or os.getppid() != parent:
                record = record._replace(running=0)
    presence.close()


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    main()
