"""What a worker costs that has nothing to do: CPU over 20 seconds, and memory."""

from __future__ import annotations

import sys
import time

import psutil
from bench import Verdicts, fresh_home

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def main() -> None:
    with fresh_home() as home:
        home.cli("enqueue", "--lines", "-", given="true\n" * 100)
        worker = home.start("worker", "run")
        try:
            while home.cli("list", "--state", "pending,processing", "-o", "id"):
                time.sleep(0.1)
            time.sleep(1)
            process = psutil.Process(worker.pid)
            before = sum(process.cpu_times()[:2])
            time.sleep(SECONDS)
            used = sum(process.cpu_times()[:2]) - before
            memory = process.memory_info().rss / 1e6
        finally:
            worker.terminate()
            worker.wait(20)
    verdict = Verdicts()
    verdict(f"CPU of an idle worker over {SECONDS} s", 100 * used / SECONDS, "<", 0.5, " %")
    verdict("its memory", memory, "<", 45, " MB")
    verdict.exit()


main()
