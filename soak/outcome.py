"""What one part of a long run measured, and which promises it found broken."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

Figure = int | float | str | None


@dataclass
class Outcome:
    """Figures by name, with their unit in the name ("longest_s"), and a sentence for each broken promise.

    `seconds` is how long the part took.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def expect(self, promise: str, *, kept: bool) -> None:
        """Note the promise as a problem unless it was kept; it is a sentence with the figure that was measured."""
        if not kept:
            self.problems.append(promise)


def timed(part: Callable[[], Outcome]) -> Outcome:
    """The outcome of a part, with its duration."""
    begun = time.monotonic()
    outcome = part()
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


def write(outcomes: dict[str, Outcome], file: Path) -> None:
    """Write the outcomes of the parts, by name, as JSON, with the machine and the versions."""
    machine = {
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
    }
    parts = {name: asdict(outcome) for name, outcome in outcomes.items()}
    file.write_text(json.dumps({"machine": machine, "parts": parts}, indent=2) + "\n", encoding="utf-8")
