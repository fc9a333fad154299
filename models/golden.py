"""A few synthetic pictures whose logits a checkpoint carries, so that none is served with other preprocessing."""

from functools import cache

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from models.classifier import Classifier
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float

SEED = 20
SIZES = ((240, 320), (333, 250), (64, 64), (480, 360))  # height, width: enlarged, reduced, both orientations


def golden_pictures(seed: int = SEED) -> list[UInt8[Tensor, "3 h w"]]:
    """Gratings of random colour, direction and frequency: smooth, so that one level of rounding changes little."""
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
    """What the classifier says of them, by the way that an upload takes: PNG, decoding, preprocessing, network."""
    logits = []
    for picture in _uploaded():
        pixels = to_float(picture).unsqueeze(0).to(classifier.device)
        with torch.no_grad():
            (row,) = classifier.logits(preprocess(pixels, classifier.spec)).cpu()
        logits.append(row.tolist())
    return logits


@cache
def _uploaded() -> tuple[UInt8[Tensor, "3 h w"], ...]:
    # Drawn once per process, a megabyte: each model that is loaded or saved asks for them.
    return tuple(decode(encode(picture)) for picture in golden_pictures())


def disagreement(classifier: Classifier, recorded: list[list[float]]) -> float:
    """The largest difference from the recorded logits, relative to 1 + their largest magnitude."""
    if [len(row) for row in recorded] != [len(classifier.spec.classes)] * len(SIZES):
        return float("inf")
    now, then = torch.tensor(golden_logits(classifier)), torch.tensor(recorded)
    if not torch.isfinite(now).all():
        return float("inf")
    return ((now - then).abs().max() / (1 + then.abs().max())).item()
