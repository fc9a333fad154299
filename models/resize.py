"""Resize and centre crop as two matrix products, with gradients: each library's kernels, proportions and padding."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

BAND = 32
"""Number of rows of the result that a CPU computes together.

They depend on a strip of the picture alone, so most zeros of the matrix are never multiplied. An accelerator computes
all rows at once, because the start of another product takes it longer than the zeros do.
"""
CPU = torch.device("cpu")
Size = int | tuple[int, int]
"""Height and width in pixels, or one number for both."""


@dataclass(frozen=True)
class Band:
    """Some rows of a weight matrix, cut to the columns from `start` to `stop` where they are not zero."""

    start: int
    stop: int
    weight: Float[Tensor, "rows strip"]


@dataclass(frozen=True)
class Side:
    """How one side of a picture becomes that of the network's input, in pixels.

    `length` pixels are resized to `resized`, of which the input has `crop`, beginning at `first`. Where `first` is
    negative the input begins with padding.
    """

    length: int
    resized: int
    crop: int
    first: int

    @property
    def scale(self) -> float:
        """Length of a resized pixel in pixels of the picture."""
        return self.length / self.resized

    @property
    def inside(self) -> tuple[int, int]:
        """Where the picture begins and ends in the input; the rest is padding."""
        return max(0, -self.first), min(self.crop, self.resized - self.first)

    @property
    def seen(self) -> tuple[float, float]:
        """Where the part that the input shows begins and ends in the picture."""
        begin, end = (self.first + position for position in self.inside)
        return begin * self.scale, min(end * self.scale, float(self.length))


def sides(
    size: tuple[int, int], *, resize: Size, crop: Size, mode: str = "crop", crop_down: bool = False
) -> tuple[Side, Side]:
    """Both sides of a picture of this `size` (height, width); models.spec.Spec describes the modes and `crop_down`.

    Lengths and positions are rounded as in torchvision, for "crop" with two numbers and for "pad" as in timm.
    """
    crops = (crop, crop) if isinstance(crop, int) else crop
    target = (resize, resize) if isinstance(resize, int) else resize
    if mode == "squash":
        resized = list(target)
    elif mode == "pad" or target[0] != target[1]:
        ratios = [length / wanted for length, wanted in zip(size, target, strict=True)]
        ratio = max(ratios) if mode == "pad" else min(ratios)
        resized = [max(1, round(length / ratio)) for length in size]
    else:
        resized = [int(target[0] * length / min(size)) for length in size]
    height, width = (
        # The padding before is half of it, rounded down.
        Side(length, new, kept, _first(new - kept, crop_down) if new >= kept else -((kept - new) // 2))
        for length, new, kept in zip(size, resized, crops, strict=True)
    )
    return height, width


def _first(beside: int, down: bool) -> int:
    """Where the centre begins, of which `beside` pixels are on both sides together."""
    return beside // 2 if down else round(beside / 2)


def box(distance: Tensor) -> Tensor:
    """The kernel of the mean over a pixel, at distances in pixels."""
    return ((distance > -0.5) & (distance <= 0.5)).to(distance.dtype)


def triangle(distance: Tensor) -> Tensor:
    """The bilinear kernel, at distances in pixels."""
    return (1 - distance.abs()).clamp(min=0)


def hamming(distance: Tensor) -> Tensor:
    """A sinc of one lobe under a Hamming window, as Pillow has it."""
    x = distance.abs()
    return torch.where(x < 1, torch.sinc(x) * (0.54 + 0.46 * torch.cos(math.pi * x)), torch.zeros_like(x))


def cubic(distance: Tensor, a: float = -0.5) -> Tensor:
    """The bicubic kernel (Keys 1981); Pillow and PyTorch have a = -0.5 when they antialias, and else -0.75."""
    x = distance.abs()
    near, far = (((a + 2) * x - (a + 3)) * x) * x + 1, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def lanczos(distance: Tensor) -> Tensor:
    """A sinc of three lobes under a window that is a sinc itself (Lanczos)."""
    x = distance.abs()
    return torch.where(x < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))


KERNELS = {
    "nearest": (box, 0.5),
    "box": (box, 0.5),
    "bilinear": (triangle, 1.0),
    "hamming": (hamming, 1.0),
    "bicubic": (cubic, 2.0),
    "lanczos": (lanczos, 3.0),
}
"""Kernel of each interpolation, and the distance beyond which it is 0."""
OVERSHOOTING = ("bicubic", "lanczos")
"""Interpolations with negative weights, whose result may leave [0, 1]."""


def kernel_of(interpolation: str, *, antialias: bool) -> tuple[Callable[[Tensor], Tensor], float]:
    """The kernel, and the distance in pixels beyond which it is 0."""
    if interpolation == "bicubic" and not antialias:
        return partial(cubic, a=-0.75), 2.0
    return KERNELS[interpolation]


@lru_cache(maxsize=32)
def bands(side: Side, interpolation: str, antialias: bool, device: torch.device) -> tuple[Band, ...]:
    """The matrix [crop, length] of one side, in bands; its rows are 0 where the input has padding."""
    kernel, reach = kernel_of(interpolation, antialias=antialias)
    wide = max(side.scale, 1.0) if antialias else 1.0
    begin_inside, end_inside = side.inside
    result = []
    together = BAND if device.type == "cpu" else side.crop
    for begin in range(0, side.crop, together):
        rows = torch.arange(begin, min(begin + together, side.crop))
        inside = rows.clamp(begin_inside, end_inside - 1)
        centres = (inside.double() + side.first + 0.5) * side.scale
        first, end = math.floor(centres[0].item() - reach * wide), math.ceil(centres[-1].item() + reach * wide)
        columns = torch.arange(first, end)
        # Pillow's operations in their order: where a box ends in the middle of a pixel, their rounding decides.
        weight = kernel((columns.double() - centres.unsqueeze(1) + 0.5) * (1 / wide))
        start, stop = min(max(0, first), side.length - 1), max(1, min(end, side.length))
        if antialias:
            window = [(centres + end + 0.5).floor().unsqueeze(1) for end in (-reach * wide, reach * wide)]
            weight = weight.where((columns >= window[0]) & (columns < window[1]), 0.0)
            weight = weight[:, start - first : stop - first]
        else:  # pixels beyond the edge are those at the edge
            edge = columns.clamp(0, side.length - 1) - start
            weight = torch.zeros(len(rows), stop - start, dtype=weight.dtype).index_add_(1, edge, weight)
        weight = weight / weight.sum(dim=1, keepdim=True)
        weight[inside != rows] = 0
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
    size: tuple[int, int],
    *,
    resize: Size,
    crop: Size,
    mode: str = "crop",
    crop_down: bool = False,
    interpolation: str = "bilinear",
    antialias: bool = True,
) -> tuple[Float[Tensor, "crop_h h"], Float[Tensor, "crop_w w"]]:
    """The matrices of `resize_and_crop` for a `size` (height, width), on the CPU: rows @ picture @ columns.T."""
    result = []
    for side in sides(size, resize=resize, crop=crop, mode=mode, crop_down=crop_down):
        matrix = torch.zeros(side.crop, side.length)
        for number, band in enumerate(bands(side, interpolation, _antialias(interpolation, antialias), CPU)):
            matrix[number * BAND : number * BAND + len(band.weight), band.start : band.stop] = band.weight
        result.append(matrix)
    return result[0], result[1]


def resize_and_crop(
    pixels: Float[Tensor, "n 3 h w"],
    *,
    resize: Size,
    crop: Size,
    mode: str = "crop",
    crop_down: bool = False,
    interpolation: str = "bilinear",
    antialias: bool = True,
) -> Float[Tensor, "n 3 i j"]:
    """Resize pixels as `mode` says (models.spec.Spec), and take the centre of `crop` pixels; differentiable.

    Padding is 0. With antialiasing the result is that of torchvision's `resize(antialias=True)` and `center_crop`, to
    1e-5. What is cut off is not computed: forward and backward take 0.4 of their time at 320 x 427 on two cores
    (docs/benchmarks.md). A picture that has the right size already is returned itself, not a copy.
    """
    height, width = sides(
        (pixels.shape[-2], pixels.shape[-1]), resize=resize, crop=crop, mode=mode, crop_down=crop_down
    )
    if all(side.length == side.resized == side.crop for side in (height, width)):
        return pixels
    antialias = _antialias(interpolation, antialias)
    rows, columns = (bands(side, interpolation, antialias, pixels.device) for side in (height, width))
    resized: Tensor = _Resize.apply(pixels, rows, columns)
    return resized


def _antialias(interpolation: str, antialias: bool) -> bool:
    """Whether pixels are averaged: a nearest pixel is one pixel, however many there are."""
    return antialias and interpolation != "nearest"
