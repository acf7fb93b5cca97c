"""The small C programs of these tests, built by cc."""

from __future__ import annotations

import os
import subprocess

_HERE = os.path.dirname(os.path.abspath(__file__))


def build(name: str, directory: str) -> str:
    """Compile NAME.c into the directory: a static program, or a library to preload where it overrides libc."""
    library = name != "tracer"
    target = os.path.join(directory, f"{name}.so" if library else name)
    kind = ["-shared", "-fPIC"] if library else ["-static"]
    source = os.path.join(_HERE, f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", *kind, "-o", target, source, "-ldl"], check=True)
    return target
