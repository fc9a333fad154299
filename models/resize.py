"""Antialiased resize and centre crop as two matrix products, with gradients."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

BAND = 32
"""Number of rows of the result that a CPU computes together.

They depend on a strip of the picture alone, so most zeros of the matrix are never multiplied. An accelerator computes
all rows at once, because the start of another product takes it longer than the zeros do.
"""


@dataclass(frozen=True)
class Band:
    """Some rows of a weight matrix, cut to the columns from `start` to `stop` where they are not zero."""

    start: int
    stop: int
    weight: Float[Tensor, "rows strip"]


def triangle(distance: Tensor) -> Tensor:
    """The bilinear kernel, at distances in pixels."""
    return (1 - distance.abs()).clamp(min=0)


def cubic(distance: Tensor) -> Tensor:
    """The bicubic kernel (Keys 1981) with a = -0.5, which Pillow and PyTorch use when they antialias."""
    x = distance.abs()
    near, far = ((1.5 * x - 2.5) * x) * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


KERNELS = {"bilinear": (triangle, 1.0), "bicubic": (cubic, 2.0)}
"""Kernel of each interpolation, and the distance beyond which it is 0."""


@lru_cache(maxsize=32)
def bands(length: int, resized: int, crop: int, interpolation: str, device: torch.device) -> tuple[Band, ...]:
    """The matrix [crop, length], in bands, that resizes `length` values to `resized` and keeps the middle `crop`."""
    kernel, reach = KERNELS[interpolation]
    scale = length / resized
    support = reach * max(scale, 1.0)
    first = round((resized - crop) / 2)
    result = []
    together = BAND if device.type == "cpu" else crop
    for begin in range(0, crop, together):
        rows = torch.arange(first + begin, first + min(begin + together, crop), dtype=torch.float64)
        centres = (rows + 0.5) * scale
        start = max(0, math.floor(centres[0].item() - support))
        stop = min(length, math.ceil(centres[-1].item() + support))
        columns = torch.arange(start, stop, dtype=torch.float64) + 0.5
        weight = kernel((columns - centres.unsqueeze(1)) / max(scale, 1.0))
        weight = weight / weight.sum(dim=1, keepdim=True)
        result.append(Band(start, stop, weight.to(device, torch.float32)))
    return tuple(result)


class _Resize(torch.autograd.Function):
    """rows @ picture @ columns.T, and its transpose for the gradient; no tensors are saved for the backward pass."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, rows: tuple[Band, ...], columns: tuple[Band, ...]) -> Tensor:
        ctx.rows, ctx.columns, ctx.shape = rows, columns, pixels.shape
        across = torch.cat([_weight(band, pixels) @ pixels[..., band.start : band.stop, :] for band in rows], dim=-2)
        return torch.cat([across[..., band.start : band.stop] @ _weight(band, pixels).T for band in columns], dim=-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None, None]:
        *leading, height, width = ctx.shape
        across = gradients.new_zeros(*leading, gradients.shape[-2], width)
        for band, part in zip(ctx.columns, gradients.split(_lengths(ctx.columns), dim=-1), strict=True):
            across[..., band.start : band.stop] += part @ _weight(band, gradients)
        pixels = gradients.new_zeros(*leading, height, width)
        for band, part in zip(ctx.rows, across.split(_lengths(ctx.rows), dim=-2), strict=True):
            pixels[..., band.start : band.stop, :] += _weight(band, gradients).T @ part
        return pixels, None, None


def _lengths(parts: tuple[Band, ...]) -> list[int]:
    return [len(band.weight) for band in parts]


def _weight(band: Band, like: Tensor) -> Tensor:
    return band.weight.to(like.dtype)


def matrices(
    size: tuple[int, int], *, resize: int, crop: int, interpolation: str = "bilinear"
) -> tuple[Float[Tensor, "crop h"], Float[Tensor, "crop w"]]:
    """The matrices of `resize_and_crop` for a `size` (height, width), on the CPU: rows @ picture @ columns.T."""
    shorter = min(size)
    result = []
    for length in size:
        matrix = torch.zeros(crop, length)
        parts = bands(length, int(resize * length / shorter), crop, interpolation, torch.device("cpu"))
        for number, band in enumerate(parts):
            matrix[number * BAND : number * BAND + len(band.weight), band.start : band.stop] = band.weight
        result.append(matrix)
    return result[0], result[1]


def resize_and_crop(
    pixels: Float[Tensor, "n 3 h w"], *, resize: int, crop: int, interpolation: str = "bilinear"
) -> Float[Tensor, "n 3 s s"]:
    """Resize the shorter side to `resize` pixels with antialiasing, and take the centre crop; differentiable.

    The result is that of torchvision's `resize(antialias=True)` and `center_crop`, to 1e-5. What is cut off is not
    computed: forward and backward take 0.4 of their time at 320 x 427 on two cores (docs/benchmarks.md). A square
    picture that has the right size already is returned itself, not a copy.
    """
    height, width = pixels.shape[-2:]
    if height == width == resize == crop:
        return pixels
    shorter = min(height, width)
    rows, columns = (
        bands(length, int(resize * length / shorter), crop, interpolation, pixels.device) for length in (height, width)
    )
    resized: Tensor = _Resize.apply(pixels, rows, columns)
    return resized
