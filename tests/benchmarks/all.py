"""Runs all benchmarks, one after the other; exit 1 where one missed a target. About three minutes."""

from __future__ import annotations

import os
import subprocess
import sys

NAMES = ("throughput", "start_up", "big_queue", "bulk", "idle", "latency", "contention")


def main() -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.1f}; absolute figures count where it is below 1")
    failed = []
    for name in NAMES:
        print(f"== {name}", flush=True)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
        if subprocess.run([sys.executable, script]).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"missed: {', '.join(failed)}")


main()
