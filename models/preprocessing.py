"""Preprocessing of pictures for a network: the one function for serving, attacks, ideal pictures and training."""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.resize import resize_and_crop
from models.spec import Spec

Preprocess = Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, "n 3 s s"]]


def preprocess(pixels: Float[Tensor, "n 3 h w"], spec: Spec) -> Float[Tensor, "n 3 s s"]:
    """Resize the shorter side with antialiasing, then take the centre crop; differentiable. Pixels stay in [0, 1]."""
    cropped = resize_and_crop(pixels, resize=spec.resize, crop=spec.input_size, interpolation=spec.interpolation)
    # Bicubic interpolation overshoots; bilinear does not, and so needs no copy.
    return cropped.clamp(0, 1) if spec.interpolation == "bicubic" else cropped


def preprocessor(spec: Spec) -> Preprocess:
    """`preprocess` with the spec of one model."""
    return lambda pixels: preprocess(pixels, spec)


def to_float(pixels: UInt8[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """Convert 8-bit levels from 0 to 255 to float32 in [0, 1]."""
    return pixels.to(torch.float32) / 255


def to_levels(pixels: Float[Tensor, "*n 3 h w"]) -> UInt8[Tensor, "*n 3 h w"]:
    """Round pixels in [0, 1] to the nearest 8-bit level; values outside are clamped."""
    return (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8)
