"""Figures that a benchmark measured, as they are kept in JSON."""

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One number of a table: its name, its unit, and the raw values of the rounds, at least one."""

    name: str
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.samples)

    @property
    def text(self) -> str:
        """The median, and the least and the greatest value in brackets if there are several, with the unit."""
        unit = f" {self.unit}" if self.unit and self.unit != "ratio" else ""
        if len(self.samples) == 1:
            return f"{_short(self.median)}{unit}"
        return f"{_short(self.median)}{unit} ({_short(min(self.samples))} to {_short(max(self.samples))})"


def _short(value: float) -> str:
    """Three significant digits, or all digits before the decimal point if these are more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def write_figures(file: Path, figures: Iterable[Figure], versions: str = "") -> None:
    """Write the figures as JSON, objects with name, unit and samples, and the versions of what this part alone uses."""
    content = {"versions": versions, "figures": [asdict(figure) for figure in figures]}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_figures(file: Path) -> tuple[list[Figure], str]:
    """Read what `write_figures` wrote: the figures, and the versions."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return [Figure(**values) for values in content["figures"]], content["versions"]
