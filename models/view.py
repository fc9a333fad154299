"""From a picture file to what the network sees of it, as fast as possible and without gradients: for /classify.

Attacks and everything else that needs the picture's own pixels use `models.pictures.decode` and `preprocess`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from models.pictures import Decoded, inspect
from models.preprocessing import input_sides, preprocess, to_float
from models.resize import OVERSHOOTING
from models.spec import Spec

DETAIL = 2
"""How many times the size that the network sees is left, at least, where a large JPEG is decoded at a smaller scale.

docs/decisions/0041 has the differences that this makes.
"""
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's filters, which antialias with the same kernels as `models.resize`.

Not its box: Pillow holds the bounds of the part that is resized as float32, and where a box ends in the middle of a
pixel, their rounding decides whether the pixel counts.
"""


@runtime_checkable  # tests check the types of arguments with isinstance
class Read(Protocol):
    """A function that decodes a picture file, such as `models.pictures.inspect`."""

    def __call__(self, data: bytes, *, shorter: int | None) -> Decoded:
        """The picture; a JPEG may be decoded at a smaller scale that leaves its shorter side so many pixels."""
        ...


@dataclass(frozen=True)
class View:
    """What the network sees of a picture file, and the size in pixels of the upright picture in the file.

    `exact` says whether all pixels of the file were decoded, so that the view is that of `preprocess`.
    """

    pixels: Float[Tensor, "1 3 i j"]
    width: int
    height: int
    exact: bool


def view(
    data: bytes,
    spec: Spec,
    *,
    exact: bool = False,
    read: Read = inspect,
) -> View:
    """Decode a picture file and preprocess it for the network.

    A JPEG of many times the size that the network sees is decoded at 1/2, 1/4 or 1/8 of its width and height (its
    discrete cosine transform allows that in less time), unless `exact` is set. `read` decodes the file
    as `models.pictures.inspect` does, whose errors are raised.
    """
    aliased = spec.interpolation == "nearest" or not spec.antialias  # other pixels would be read of a smaller picture
    shorter = None if exact or aliased else DETAIL * max(spec.resize_size)
    decoded = read(data, shorter=shorter)
    whole = decoded.pixels.shape[1:] == (decoded.height, decoded.width)
    return View(preprocess_levels(decoded.pixels, spec), decoded.width, decoded.height, whole)


def stacked(views: Sequence[View]) -> Float[Tensor, "n 3 i j"]:
    """The pixels of the views, one below the other, on the CPU."""
    return torch.from_numpy(np.concatenate([view.pixels.numpy() for view in views]))


def preprocess_levels(levels: UInt8[Tensor, "3 h w"], spec: Spec) -> Float[Tensor, "1 3 i j"]:
    """`models.preprocessing.preprocess` of a picture of 8-bit levels, to 1e-5, on the CPU.

    Pillow resizes with the same kernels, one channel of floating-point numbers after the other. It works on the calling
    thread alone; PyTorch would start further threads for each thread that calls it, which slow down the network's pass.
    What Pillow does not have (no antialiasing, padding), and boxes, are computed by PyTorch all the same.
    """
    if spec.interpolation not in FILTERS or not spec.antialias or spec.resize_mode == "pad":
        return preprocess(to_float(levels).unsqueeze(0), spec)
    height, width = input_sides((levels.shape[1], levels.shape[2]), spec)
    (top, bottom), (left, right) = height.seen, width.seen
    result = np.empty((3, height.crop, width.crop), np.float32)
    for channel, plane in zip(result, levels.numpy(), strict=True):
        numbers = Image.fromarray(plane).convert("F")
        size, box = (width.crop, height.crop), (left, top, right, bottom)
        channel[...] = np.asarray(numbers.resize(size, FILTERS[spec.interpolation], box)) / np.float32(255)
    if spec.interpolation in OVERSHOOTING:
        np.clip(result, 0, 1, out=result)
    return torch.from_numpy(result).unsqueeze(0)
