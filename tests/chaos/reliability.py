"""The table in docs/reliability.md, made from docs/reliability.json; run as a script, it writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- made from reliability.json -->\n", "<!-- end -->\n"
MODES = {"mixed": "all faults", "kills": "`kill -9` of a random worker each half second"}
NUMBERS = ("jobs", "acknowledged", "executions", "lost", "doubled", "overlapped", "left_over", "wrong")


def table(records: dict[str, dict[str, Any]]) -> str:
    """One column a run."""
    runs = [records[mode] for mode in MODES if mode in records]
    rows = [
        ("", [MODES[run["mode"]] for run in runs]),
        ("---", ["---:"] * len(runs)),
        ("when", [run["date"] for run in runs]),
        ("commit", [f"`{run['commit']}`" for run in runs]),
        ("seed", [str(run["seed"]) for run in runs]),
        ("duration", [duration(run["seconds"]) for run in runs]),
        ("machine", [run["machine"] for run in runs]),
        ("faults", [f"{sum(run['faults'].values()):,}" for run in runs]),
        *((number.replace("_", " "), [f"{run[number]:,}" for run in runs]) for number in NUMBERS),
    ]
    lines = [f"| {name} | {' | '.join(values)} |" for name, values in rows]
    kinds = sorted({kind for run in runs for kind in run["faults"]})
    lines += [
        "",
        "| fault | " + " | ".join(MODES[run["mode"]] for run in runs) + " |",
        "| --- |" + " ---: |" * len(runs),
    ]
    for kind in kinds:
        counts = (f"{run['faults'].get(kind, 0):,}" for run in runs)
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    return "\n".join(lines) + "\n"


def duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def page_with(page: str, records: dict[str, dict[str, Any]]) -> str:
    """The page with the table of these records in the place of its own."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(records) + END + rest.partition(END)[2]


def main() -> None:
    page = DOCS / "reliability.md"
    page.write_text(page_with(page.read_text(), json.loads((DOCS / "reliability.json").read_text())))


if __name__ == "__main__":
    main()
