"""Random crops of a picture: a class that is recognised in all of them does not depend on single pixels."""

import math
from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from models.resampling import resize
from models.spec import Spec


def random_crops(
    pictures: Float[Tensor, "m 3 h w"],
    count: int,
    spec: Spec,
    random: torch.Generator,
    *,
    smallest: float = 0.35,
    largest: float = 1.2,
    turn: float = 10.0,
) -> Float[Tensor, "n 3 i j"]:
    """`count` random crops of one picture, or one of each of `count` pictures, resized to the network's input size.

    Their sides are `smallest` to `largest` times the picture's, they are rotated by up to `turn` degrees in either
    direction, and half of them are mirrored. Where the network's input is no square, one side of a crop is shorter,
    unless preprocessing squashes pictures. Beyond the edge the picture is reflected. Differentiable; pixels stay in
    [0, 1].
    """
    pictures = legible(pictures, spec.size)
    side = _uniform(random, count, smallest, largest)
    angle = _uniform(random, count, -math.radians(turn), math.radians(turn))
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    shift = _uniform(random, (2, count), -1.0, 1.0) * (1 - side).abs()
    grid = _grid(torch.polar(side, angle), mirror, torch.complex(*shift), spec, pictures.device)
    source = pictures.expand(count, -1, -1, -1)
    return grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def legible(pictures: Float[Tensor, "n 3 h w"], size: tuple[int, int]) -> Float[Tensor, "n 3 i j"]:
    """The pictures with sides of at most twice the input's longer side, from which crops are taken.

    Each pixel of a crop is read from its four neighbours, so one of a larger picture would skip most of the pixels.
    """
    return resize(pictures, [2 * max(size)] * 2) if pictures.shape[-1] > 2 * max(size) else pictures


def _grid(
    turn: Complex[Tensor, " n"],
    mirror: Float[Tensor, " n"],
    shift: Complex[Tensor, " n"],
    spec: Spec,
    device: torch.device,
) -> Float[Tensor, "n i j 2"]:
    """The position of each pixel of a crop in the picture, from -1 to 1 across and down: turn x pixel + shift.

    Some crops are mirrored. Positions are complex numbers, across + down x i. affine_grid gives the same, and takes
    many times as long.
    """
    height, width = spec.size
    longer = max(height, width)
    rows, columns = (
        _line(side, device) * (1.0 if spec.resize_mode == "squash" else side / longer) for side in (height, width)
    )
    across, down, begin = (factor.to(device).reshape(-1, 1, 1) for factor in (turn * mirror, turn * 1j, shift))
    return torch.view_as_real(across * columns + (down * rows.unsqueeze(1) + begin))


@lru_cache(maxsize=32)
def _line(size: int, device: torch.device) -> Float[Tensor, " s"]:
    """The middles of `size` pixels on a line from -1 to 1."""
    return ((2 * torch.arange(size) + 1) / size - 1).to(device)


def _uniform(random: torch.Generator, shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)
