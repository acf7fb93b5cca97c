"""What an examination found, as a table and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from queuectl.cli.output.document import write_json
from queuectl.cli.output.facts import print_title, styled
from queuectl.cli.output.table import Cell, Column, print_table
from queuectl.cli.output.visible import visible
from queuectl.cli.session import Session
from queuectl.domain.findings import Finding, Severity

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def write_findings(findings: Sequence[Finding]) -> None:
    """Print them as an array."""
    write_json([{**finding._asdict(), "severity": finding.severity.value} for finding in findings])


def print_findings(session: Session, findings: Sequence[Finding]) -> None:
    """Print them, and below how to mend what is wrong: a command stands in a line of its own, to be copied."""
    columns = [Column("", False), Column("CHECK"), Column("LOOKED AT", yields=True), Column("FOUND", yields=True)]
    rows = [
        [
            Cell(str(finding.severity), _STYLES[finding.severity]),
            Cell(finding.check),
            Cell(finding.looked_at, "dim"),
            Cell(finding.found),
        ]
        for finding in findings
    ]
    print_table(session, columns, rows)
    mends = {finding.mend: finding for finding in findings if finding.mend is not None}
    if not mends:
        return
    print_title(session, "What to do")
    for mend, finding in mends.items():
        about = f"# {visible(finding.check)}"
        print(f"  {visible(mend)}  {styled(about, 'dim') if session.colored(sys.stdout) else about}")
