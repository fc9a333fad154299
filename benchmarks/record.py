"""The record of one machine: docs/benchmarks/MACHINE.json, with the raw figures of every part."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Machine
from benchmarks.parts import SKIPPED, Part
from benchmarks.results import Figure, read_figures

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"
"""Where the records of all machines are."""


@dataclass(frozen=True)
class PartResult:
    """What running a part gave: its figures, how it ended (`measured`, `skipped` or `failed`), and the seconds."""

    figures: list[Figure]
    outcome: str
    seconds: float
    versions: str = ""
    """Those of what only this part uses, such as the browser."""

    @property
    def failed(self) -> bool:
        """Whether the part neither ended well nor said that it cannot run here."""
        return self.outcome == "failed"


def run_part(part: Part) -> PartResult:
    """Run the part's script in a process of its own, for three times its usual seconds at most.

    Figures that a part wrote before it failed are kept.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.{part.name}", *part.options, "--json", str(file)]
        try:
            status = subprocess.run(command, timeout=3 * part.seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            status = 1
        figures, versions = read_figures(file) if file.exists() else ([], "")
    outcome = {0: "measured", SKIPPED: "skipped"}.get(status, "failed")
    return PartResult(figures, outcome, time.monotonic() - begun, versions)


@dataclass
class Record:
    """The parts that were measured on one machine, each with its commit, date, machine and figures."""

    file: Path
    machine: Machine
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def open(file: Path, machine: Machine) -> "Record":
        """The record in this file, or a new one."""
        parts = json.loads(file.read_text(encoding="utf-8"))["parts"] if file.exists() else {}
        return Record(file, machine, parts)

    def keep(self, part: Part, result: PartResult) -> None:
        """Write the part's figures into the file; without figures, those of an earlier run stay."""
        if not result.figures:
            return
        self.parts[part.name] = {
            "commit": _commit(),
            "date": time.strftime("%Y-%m-%d"),
            "machine": "; ".join(filter(None, [self.machine.text, result.versions])),
            "command": " ".join(["python -m benchmarks", part.name, *part.options]),
            "outcome": result.outcome,
            "seconds": round(result.seconds, 1),
            "figures": [asdict(figure) for figure in result.figures],
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": asdict(self.machine), "parts": self.parts}
        self.file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _commit() -> str:
    """The commit of the sources, with a plus sign if they were changed since."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=FOLDER.parent, check=False)
        return run.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "app", "models", "training", "benchmarks")
    return f"{commit}+" if changed else commit
