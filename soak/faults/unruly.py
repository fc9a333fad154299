"""A network that misbehaves while a file says so, which the service gets by MIRAGE_ARCHITECTURES.

Its misdeeds are real ones: memory is asked for that no machine has, and the thread that calls it ends.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from models import architectures as known_architectures
from models import checkpoint
from models.spec import Spec
from soak.seeded import seeded

SOURCE = "soak.faults.unruly:architectures"
"""The value of MIRAGE_ARCHITECTURES."""
FOLDER = "SOAK_FAULTS"
"""The variable that names the folder of the files."""
NAME = "unruly"
"""Name of the model, and of its architecture."""
SPEC = Spec(NAME, ("cat", "dog", "owl"), input_size=32, resize=36)
WAIT_S = 0.02
"""Seconds between two looks at whether a file is still there."""


def plant(folder: Path, fault: str, *, above_rows: int = 0) -> None:
    """Let passes with more than so many pictures misbehave: one of the faults in `FAULTS`, or `slow_start`."""
    folder.mkdir(exist_ok=True)
    complete = folder / f".{fault}"
    complete.write_text(str(above_rows), encoding="utf-8")
    complete.replace(folder / fault)


def remove(folder: Path, fault: str) -> None:
    """Let the network behave again."""
    (folder / fault).unlink(missing_ok=True)


def write_checkpoint(folder: Path, *, seed: int = 1) -> None:
    """Write a checkpoint of the network, with random weights, into the folder."""
    known_architectures.register(SOURCE)
    with seeded(seed):
        network = Unruly(len(SPEC.classes))
        checkpoint.save(folder / f"{NAME}.safetensors", network, SPEC, {"recipe": {"seed": seed}})
    (folder / f"{NAME}.md").write_text(f"# {NAME}\n\nRandom weights.\n", encoding="utf-8")


def architectures() -> Mapping[str, Callable[[int], nn.Module]]:
    """What MIRAGE_ARCHITECTURES names."""
    return {NAME: Unruly}


class Unruly(nn.Module):
    """A small network from pixels to class scores."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        _wait_while("slow_start")
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """The class scores [n, classes] of pixels [n, 3, h, w]."""
        # A decision by a value, so that the pass is not followed once and then run without this code.
        rows = len(pixels) if float(pixels.detach().flatten()[0]) == float(pixels.detach().flatten()[0]) else 0
        scores: Tensor = self.head(self.features(pixels))
        for fault, misbehave in FAULTS.items():
            if rows > _least_rows(fault):
                scores = misbehave(scores)
        return scores


def _least_rows(fault: str) -> float:
    """Number of rows above which the fault is planted; infinity where it is not."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return float("inf")
    try:
        return int((Path(folder) / fault).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return float("inf")


def _wait_while(fault: str) -> None:
    while _least_rows(fault) < float("inf"):
        time.sleep(WAIT_S)


def _ask_python_for_memory(scores: Tensor) -> Tensor:
    return scores + len(bytes(1 << 60))


def _ask_torch_for_memory(scores: Tensor) -> Tensor:
    return scores + torch.empty(1 << 50).sum()


def _hang(scores: Tensor) -> Tensor:
    _wait_while("hang")
    return scores


def _end_the_thread(scores: Tensor) -> Tensor:
    raise SystemExit("the network ends the thread that called it")


def _lose_numbers(scores: Tensor) -> Tensor:
    return scores * float("nan")


FAULTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "memory_error": _ask_python_for_memory,
    "torch_memory": _ask_torch_for_memory,
    "hang": _hang,
    "end_thread": _end_the_thread,
    "nan": _lose_numbers,
}
"""By the name of the file, what a pass does to the class scores."""
