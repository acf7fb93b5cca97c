"""Runs commands inside the throw-away machine: a JSON line each on stdin, a JSON line for its outcome on stdout."""

import json
import subprocess
import sys

for line in sys.stdin:
    asked = json.loads(line)
    try:
        done = subprocess.run(
            asked["argv"],
            env=asked["env"],
            input=asked["input"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not asked["merge"] else subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=asked["timeout"],
            cwd="/",
        )
        answer = {"code": done.returncode, "out": done.stdout, "err": done.stderr or ""}
    except subprocess.TimeoutExpired as error:
        answer = {"code": 124, "out": str(error.stdout or ""), "err": f"no end after {asked['timeout']} s"}
    print(json.dumps(answer), flush=True)
