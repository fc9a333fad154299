"""What the parts of the benchmark of attacks share: results that are stored in a file, and how figures are printed."""

import argparse
import json
import math
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.attacks.geometry import LEVEL, Norm
from models.attacks.options import ATTACKS


class Results:
    """What was measured so far, by name, in a file where one is given."""

    def __init__(self, path: Path | None, settings: dict[str, Any], told: list[str]) -> None:
        self.path = path
        self.kept: dict[str, Any] = {"settings": settings, "told": told, "results": {}}
        if path is not None and path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if before["settings"] != json.loads(json.dumps(settings)):
                raise SystemExit(f"{path} holds results of other settings: name another file")
            self.kept["results"] = before["results"]

    def of(self, name: str, measure: Callable[[], Any]) -> dict[str, Any]:
        """The fields of the result of this name, a dataclass; measured if it is not there, or was a failure."""
        results = self.kept["results"]
        if name not in results or "failed" in results[name]:
            try:
                results[name] = asdict(measure())
            except Exception as error:  # another library's may raise anything, and the table goes on
                reason = (str(error).splitlines() or [""])[0]
                results[name] = {"failed": f"{type(error).__name__}: {reason}"}
            self._write()
        found: dict[str, Any] = results[name]
        return found

    def _write(self) -> None:
        if self.path is not None:
            whole = self.path.with_name(self.path.name + ".part")
            whole.write_text(json.dumps(self.kept), encoding="utf-8")
            whole.replace(self.path)


def chosen(options: argparse.Namespace) -> list[tuple[str, Norm]]:
    """The attacks asked for, in each of their norms."""
    return [(name, norm) for name in options.attacks for norm in ATTACKS[name].norms if norm in options.norms]


def median_size(sizes: list[float], won: list[bool], norm: Norm) -> str:
    """Over all photos: one that was not fooled would take an infinite change."""
    median = statistics.median(size if fooled else math.inf for size, fooled in zip(sizes, won, strict=True))
    if median == math.inf:
        return "-"
    return f"{median / LEVEL:.3f}" if norm == "linf" else f"{median:.0f}" if norm == "l0" else f"{median:.3f}"


def spread(figures: list[float], digits: int = 2) -> str:
    """Median, least and most."""
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f} to {max(figures):.{digits}f})"
