"""The tables in docs/benchmarks.md, generated from the records of all machines."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import FOLDER
from benchmarks.results import Figure

DOCUMENT = FOLDER.parent / "benchmarks.md"
RESULT = re.compile(r"(<!-- (?P<name>[a-z_]+) -->\n)(?P<table>.*?)(<!-- /(?P=name) -->)", re.DOTALL)


def write_tables(document: Path = DOCUMENT, folder: Path = FOLDER) -> None:
    """Replace what stands between the markers `<!-- NAME -->` and `<!-- /NAME -->` of each part that is recorded."""
    records = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
    text = document.read_text(encoding="utf-8")

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        if not any(name in record["parts"] for record in records.values()):
            return match[0]
        return f"{match[1]}{part_table(name, records)}{match[4]}"

    document.write_text(RESULT.sub(replaced, text), encoding="utf-8")


def part_table(name: str, records: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table of a part: a row per figure, a column per machine, and a line about each measurement."""
    measured = {machine: record["parts"][name] for machine, record in records.items() if name in record["parts"]}
    columns = {
        machine: {values["name"]: Figure(**values).text for values in part["figures"]}
        for machine, part in measured.items()
    }
    rows = list(dict.fromkeys(figure for column in columns.values() for figure in column))
    sources = [
        f"{machine}: `{part['command']}` took {part['seconds']:.0f} s at commit {part['commit']}, {part['date']}; "
        f"{part['machine']}" + ("" if part["outcome"] == "measured" else f"; the part {part['outcome']} midway")
        for machine, part in measured.items()
    ]
    lines = [
        _row(["median (least to most)", *columns]),
        _row(["---"] * (len(columns) + 1)),
        *(_row([row, *(column.get(row, "-") for column in columns.values())]) for row in rows),
        "",
        *(
            textwrap.fill(f"- {source}", 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            for source in sources
        ),
    ]
    return "\n" + "\n".join(lines) + "\n\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
