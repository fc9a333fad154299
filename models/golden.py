"""Golden logits: those of a few synthetic pictures, stored in each checkpoint.

A checkpoint is not loaded if they differ, for example because the preprocessing has changed.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from models.classifier import Classifier
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float

SEED = 20
"""Seed of the pictures; another one would make the logits of every stored checkpoint differ."""

SIZES = ((240, 320), (333, 250), (64, 64), (480, 360))
"""Height and width of each picture: preprocessing enlarges or reduces them, and both orientations occur."""


def golden_pictures(seed: int = SEED) -> list[UInt8[Tensor, "3 h w"]]:
    """Sums of random gratings (colour, direction, frequency): smooth, so that rounding by one level changes little."""
    random = np.random.Generator(np.random.PCG64(seed))
    return [_gratings(random, height, width) for height, width in SIZES]


def _gratings(random: np.random.Generator, height: int, width: int) -> UInt8[Tensor, "3 h w"]:
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    picture = np.zeros((3, height, width))
    for _ in range(8):
        colour = random.normal(size=(3, 1, 1))
        vertical, horizontal = random.normal(scale=6, size=2)
        phase = random.uniform(0, 2 * np.pi)
        picture += colour * np.sin(2 * np.pi * (vertical * down + horizontal * across) + phase)
    return torch.from_numpy(np.rint(255 / (1 + np.exp(-picture))).astype(np.uint8))


def golden_logits(classifier: Classifier) -> list[list[float]]:
    """The classifier's logits of the golden pictures, processed like uploads: PNG, decoding, preprocessing, network."""
    logits = []
    for picture in _uploaded():
        pixels = to_float(picture).unsqueeze(0).to(classifier.device)
        with torch.no_grad():
            (row,) = classifier.logits(preprocess(pixels, classifier.spec)).cpu()
        logits.append(row.tolist())
    return logits


@cache
def _uploaded() -> tuple[UInt8[Tensor, "3 h w"], ...]:
    # Drawn once per process (1 MB), since every model that is loaded or saved needs them.
    return tuple(decode(encode(picture)) for picture in golden_pictures())


def disagreement(classifier: Classifier, recorded: list[list[float]]) -> float:
    """Largest difference of the golden logits from the recorded ones, divided by 1 + the largest recorded magnitude.

    Infinite if the numbers of pictures or classes differ or a logit is not finite.
    """
    if [len(row) for row in recorded] != [len(classifier.spec.classes)] * len(SIZES):
        return float("inf")
    logits, expected = torch.tensor(golden_logits(classifier)), torch.tensor(recorded)
    if not torch.isfinite(logits).all():
        return float("inf")
    return ((logits - expected).abs().max() / (1 + expected.abs().max())).item()
