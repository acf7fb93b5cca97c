"""Writes its arguments to the file that the first of them names."""

import json
import sys

with open(sys.argv[1], "w") as file:
    json.dump(sys.argv[2:], file)
