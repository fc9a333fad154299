"""What the parts of the benchmark of attacks share: results that are stored in a file, and how figures are printed."""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from models.attacks.geometry import LEVEL, Norm
from models.attacks.options import ATTACKS

Subject = TypeVar("Subject")


class Results:
    """The results that were measured so far, by name; stored in a file if there is a path."""

    def __init__(self, path: Path | None, settings: dict[str, Any], header: list[str]) -> None:
        self.path = path
        self.stored: dict[str, Any] = {"settings": settings, "told": header, "results": {}}
        if path is not None and path.exists():
            previous = json.loads(path.read_text(encoding="utf-8"))
            if previous["settings"] != json.loads(json.dumps(settings)):
                raise SystemExit(f"{path} holds results of other settings: name another file")
            self.stored["results"] = previous["results"]

    def of(self, name: str, measure: Callable[[], Any]) -> dict[str, Any]:
        """The fields of the result with this name; measured if it is not stored yet or has failed before."""

        def measured(_: Sequence[None]) -> dict[None, Any]:
            try:
                return {None: measure()}
            except Exception as error:  # another library may raise anything, and the other results are wanted
                return {None: error}

        return self.of_all({name: None}, measured)[name]

    def of_all(
        self, subjects: Mapping[str, Subject], measure: Callable[[Sequence[Subject]], Mapping[Subject, Any]]
    ) -> dict[str, dict[str, Any]]:
        """The fields of the results with these names, whose subjects are measured together.

        They are measured unless all are stored. `measure` gives a result for each subject, or the error in its place.
        """
        results: dict[str, dict[str, Any]] = self.stored["results"]
        if any("failed" in results.get(name, {"failed": ""}) for name in subjects):
            measured = measure(list(subjects.values()))
            for name, subject in subjects.items():
                results[name] = _fields(measured[subject])
            self._write()
        return {name: results[name] for name in subjects}

    def _write(self) -> None:
        if self.path is not None:
            partial = self.path.with_name(self.path.name + ".part")
            partial.write_text(json.dumps(self.stored), encoding="utf-8")
            partial.replace(self.path)


def _fields(result: Any) -> dict[str, Any]:
    if isinstance(result, Exception):
        return {"failed": f"{type(result).__name__}: {(str(result).splitlines() or [''])[0]}"}
    return asdict(result)


def chosen(options: argparse.Namespace) -> list[tuple[str, Norm]]:
    """The attacks that the options select, with each of their selected norms."""
    return [(name, norm) for name in options.attacks for norm in ATTACKS[name].norms if norm in options.norms]


def median_size(sizes: list[float], fooled: list[bool], norm: Norm) -> str:
    """The median perturbation norm over all photos; one that does not fool the model counts as infinite."""
    median = statistics.median(size if success else math.inf for size, success in zip(sizes, fooled, strict=True))
    if median == math.inf:
        return "-"
    return f"{median / LEVEL:.3f}" if norm == "linf" else f"{median:.0f}" if norm == "l0" else f"{median:.3f}"


def spread(figures: list[float], digits: int = 2) -> str:
    """Median, minimum and maximum as text."""
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f} to {max(figures):.{digits}f})"
