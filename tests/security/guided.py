"""guided.py PARSER CASES [FILE]: fuzz one of parsers.py, guided by atheris to what no case has reached yet.

The bytes that atheris makes are hypothesis' choices: what comes in is of the same kinds, and a case that fails is kept
in the file `crash-…` of the working directory; given as FILE it is run again, alone.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["queuectl", "yaml", "dotenv"]):
    from parsers import PARSERS

# A case is of some hundred choices: from the few bytes that libFuzzer begins with otherwise it takes long to one.
LENGTHS = ("-len_control=0", "-max_len=4096")
name, cases, *files = sys.argv[1:]
atheris.Setup([sys.argv[0], f"-runs={cases}", *LENGTHS, *files], PARSERS[name].fed().hypothesis.fuzz_one_input)
atheris.Fuzz()
