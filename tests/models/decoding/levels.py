"""The levels that a file is decoded to, and samples to write into files."""

import numpy as np

from models.pictures import decode

RAMP = np.arange(65536).reshape(256, 256)
"""Every number of 16 bits."""


LEVELS = np.rint(RAMP / 257).astype(int)


def levels(data: bytes) -> np.ndarray:
    """[h, w, 3]"""
    return decode(data).permute(1, 2, 0).numpy().astype(int)


def grey(data: bytes) -> np.ndarray:
    """[h, w] of a picture whose three channels are equal."""
    found = levels(data)
    assert (found == found[..., :1]).all()
    return found[..., 0]


def noise(most: float, shape: tuple[int, ...] = (16, 24), seed: int = 0) -> np.ndarray:
    """Whole numbers from 0 to `most`, both of them among the numbers."""
    found = np.random.default_rng(seed).integers(0, int(most) + 1, shape)
    found.flat[0], found.flat[1] = 0, most
    return found
