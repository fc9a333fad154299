"""Decodes files to arrays of levels, and makes samples to write into files."""

import numpy as np

from models.pictures import decode

RAMP = np.arange(65536).reshape(256, 256)
"""Every 16-bit number once, as 256 x 256 samples."""


LEVELS = np.rint(RAMP / 257).astype(int)
"""The 8-bit levels that RAMP has to be decoded to."""


def levels(data: bytes) -> np.ndarray:
    """Decode a file to levels [h, w, 3]."""
    return decode(data).permute(1, 2, 0).numpy().astype(int)


def grey(data: bytes) -> np.ndarray:
    """Decode a file whose three channels are equal to levels [h, w]."""
    pixels = levels(data)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def noise(largest: float, shape: tuple[int, ...] = (16, 24), seed: int = 0) -> np.ndarray:
    """Return random integers from 0 to `largest`, both of which occur."""
    numbers = np.random.default_rng(seed).integers(0, int(largest) + 1, shape)
    numbers.flat[0], numbers.flat[1] = 0, largest
    return numbers
