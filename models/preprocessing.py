"""Preprocessing of pictures for a network: the one function for serving, attacks, ideal pictures and training."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.resize import OVERSHOOTING, Side, matrices, resize_and_crop, sides
from models.spec import Spec

Preprocess = Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, "n 3 i j"]]
"""From pictures of any size, in [0, 1], to what the network sees of them."""


def preprocess(pixels: Float[Tensor, "n 3 h w"], spec: Spec) -> Float[Tensor, "n 3 i j"]:
    """The input of the network from pictures of any size, in [0, 1]; differentiable.

    Pictures are resized, and cropped or padded to the input's height and width, as the spec describes it.
    """
    size = (pixels.shape[-2], pixels.shape[-1])
    resized = resize_and_crop(pixels, **_geometry(spec), interpolation=spec.interpolation, antialias=spec.antialias)
    if (padding := padding_of(size, spec)) is not None:
        resized = resized + padding.to(resized)
    # Bicubic interpolation overshoots; bilinear does not, and so needs no copy.
    return resized.clamp(0, 1) if spec.interpolation in OVERSHOOTING else resized


def preprocessor(spec: Spec) -> Preprocess:
    """`preprocess` with the spec of one model."""
    return lambda pixels: preprocess(pixels, spec)


def input_sides(size: tuple[int, int], spec: Spec) -> tuple[Side, Side]:
    """How the sides of a picture of this size (height, width) become those of the network's input."""
    return sides(size, **_geometry(spec))


def input_matrices(
    size: tuple[int, int], spec: Spec
) -> tuple[Float[Tensor, "i h"], Float[Tensor, "j w"], Float[Tensor, "3 i j"] | None]:
    """`preprocess` before clamping, for a picture of this size: rows @ picture @ columns.T, plus the padding if any."""
    rows, columns = matrices(size, **_geometry(spec), interpolation=spec.interpolation, antialias=spec.antialias)
    return rows, columns, padding_of(size, spec)


def padding_of(size: tuple[int, int], spec: Spec) -> Float[Tensor, "3 i j"] | None:
    """The colour of the padding where a picture of this size leaves some, and 0 elsewhere; None where it is all 0."""
    if spec.resize_mode != "pad" or not any(spec.padding):
        return None
    height, width = input_sides(size, spec)
    picture = tuple(slice(*side.inside) for side in (height, width))
    padding = torch.tensor(spec.padding).reshape(3, 1, 1).repeat(1, height.crop, width.crop)
    padding[:, picture[0], picture[1]] = 0
    return padding


def reduction(size: tuple[int, int], spec: Spec) -> float:
    """How many times as long a picture of this size (height, width) is as the resized one, the mean of both sides."""
    if spec.resize_mode == "crop" and isinstance(spec.resize, int):
        return min(size) / spec.resize
    height, width = input_sides(size, spec)
    return math.sqrt(height.scale * width.scale)


def to_float(pixels: UInt8[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """Convert 8-bit levels from 0 to 255 to float32 in [0, 1]."""
    return pixels.to(torch.float32) / 255


def to_levels(pixels: Float[Tensor, "*n 3 h w"]) -> UInt8[Tensor, "*n 3 h w"]:
    """Round pixels in [0, 1] to the nearest 8-bit level; values outside are clamped."""
    return (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8)


def _geometry(spec: Spec) -> dict[str, Any]:
    return {"resize": spec.resize, "crop": spec.input_size, "mode": spec.resize_mode, "crop_down": spec.crop_down}
