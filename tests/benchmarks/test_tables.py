"""Tables: a row per figure and a column per machine, between the markers of the part alone."""

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import write_tables

DOCUMENT = "# Title\n\n<!-- network -->\nold\n<!-- /network -->\n\nText.\n\n<!-- other -->\nkept\n<!-- /other -->\n"


def part(*figures: tuple[str, float]) -> dict[str, Any]:
    """A part as a record holds it."""
    return {
        "commit": "abc1234",
        "date": "2026-01-02",
        "machine": "two cores",
        "command": "python -m benchmarks network",
        "outcome": "measured",
        "seconds": 61.4,
        "figures": [{"name": name, "unit": "ms", "samples": [value]} for name, value in figures],
    }


def test_machines_stand_side_by_side(tmp_path: Path) -> None:
    """A figure that one machine lacks is a dash; a part that nobody measured keeps its text."""
    document = tmp_path / "benchmarks.md"
    document.write_text(DOCUMENT)
    for machine, parts in {
        "first": {"network": part(("forward", 10.0), ("backward", 30.0))},
        "second": {"network": part(("forward", 5.0))},
    }.items():
        (tmp_path / f"{machine}.json").write_text(json.dumps({"machine": {}, "parts": parts}))
    write_tables(document, tmp_path)
    lines = document.read_text().splitlines()
    assert "| median (least to most) | first | second |" in lines
    assert "| forward | 10.0 ms | 5 ms |" in lines and "| backward | 30.0 ms | - |" in lines
    assert "old" not in lines and "kept" in lines
    assert any(line.startswith("- first: `python -m benchmarks network` took 61 s at commit abc1234") for line in lines)


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    """The tables depend on the records alone."""
    document = tmp_path / "benchmarks.md"
    document.write_text(DOCUMENT)
    (tmp_path / "first.json").write_text(json.dumps({"machine": {}, "parts": {"network": part(("forward", 1.0))}}))
    write_tables(document, tmp_path)
    once = document.read_text()
    write_tables(document, tmp_path)
    assert document.read_text() == once
