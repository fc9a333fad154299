"""From pixels in [0, 1] of any size to what the network sees: one function for serving, attacks, ideals, training."""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.resize import resize_and_crop
from models.spec import Spec

Preprocess = Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, "n 3 s s"]]


def preprocess(pixels: Float[Tensor, "n 3 h w"], spec: Spec) -> Float[Tensor, "n 3 s s"]:
    """Antialiased resize of the shorter side, then the centre crop; differentiable; pixels stay in [0, 1]."""
    seen = resize_and_crop(pixels, resize=spec.resize, crop=spec.input_size, interpolation=spec.interpolation)
    # Bicubic overshoots; bilinear does not, and skips the copy.
    return seen.clamp(0, 1) if spec.interpolation == "bicubic" else seen


def preprocessor(spec: Spec) -> Preprocess:
    """`preprocess` for one model."""
    return lambda pixels: preprocess(pixels, spec)


def to_float(pixels: UInt8[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """8-bit levels 0..255 to [0, 1]."""
    return pixels.to(torch.float32) / 255


def to_levels(pixels: Float[Tensor, "*n 3 h w"]) -> UInt8[Tensor, "*n 3 h w"]:
    """[0, 1] to the nearest 8-bit level; what lies outside is clamped."""
    return (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8)
