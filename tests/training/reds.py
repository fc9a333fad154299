"""Classifiers that see nothing but the red of a picture, and photos of known red: every verdict is known by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from models.classifier import Classifier
from models.spec import Spec
from models.store import Model
from tests.training.drawn import encoded

SIDE = 16
"""Side of the photos and of what the classifiers see, in pixels."""
STEEPNESS = 20.0
"""By how much the logit of the second class rises, and that of the first falls, from no red to full red."""


def red_model(
    threshold: float,
    name: str = "red",
    classes: Sequence[str] = ("dark", "bright", "other"),
    provenance: Mapping[str, Any] | None = None,
) -> Model:
    """A model that sees the first class below a mean red of `threshold` levels, the second above, and never a third."""
    layer = nn.Linear(3 * SIDE * SIDE, len(classes))
    with torch.no_grad():
        weight = layer.weight.zero_().view(len(classes), 3, SIDE, SIDE)
        weight[0, 0], weight[1, 0] = -STEEPNESS / SIDE**2, STEEPNESS / SIDE**2
        bias = STEEPNESS * threshold / 255
        layer.bias.copy_(torch.tensor([bias, -bias, *[-2 * STEEPNESS] * (len(classes) - 2)]))
    spec = Spec(
        "squeezenet1_1", tuple(classes), input_size=SIDE, resize=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    return Model(name, Classifier(nn.Sequential(nn.Flatten(), layer), spec), provenance or {})


def red_levels(level: int) -> np.ndarray:
    """A picture, uint8 [h, w, 3], whose red is `level` everywhere; its green and blue are noise."""
    noise = np.random.default_rng(level).integers(60, 200, (SIDE, SIDE, 3), dtype=np.uint8)
    noise[..., 0] = level
    return noise


def write_reds(folder: Path, levels: Mapping[str, Sequence[int]]) -> Path:
    """Write a photo for each level of red, by the folder of its class; the file is called by its level."""
    for name, numbers in levels.items():
        (folder / name).mkdir(parents=True)
        for level in numbers:
            (folder / name / f"{level}.png").write_bytes(encoded(Image.fromarray(red_levels(level))))
    return folder
