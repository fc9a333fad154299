"""Writes the tables (CSV) of a run or a check."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.files import write_atomically
from training.data.scan.findings import Finding


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write a table with a row for each finding, or a single row with the problem "none"."""
    rows = [{"file": finding.name, "problem": finding.problem.value, "detail": finding.detail} for finding in findings]
    write_rows(path, rows or [{"file": "", "problem": "none", "detail": ""}])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table of the rows, with the columns of the last one; without rows nothing is written."""
    if not rows:
        return
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(rows[-1]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, table.getvalue().encode("utf-8", "backslashreplace"))
