"""Random crops of a picture as a network sees it: what still scores under all of them is no accident of one pixel."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms.v2 import functional


def random_crops(
    picture: Float[Tensor, "1 3 h w"],
    count: int,
    input_size: int,
    random: torch.Generator,
    *,
    smallest: float = 0.35,
    largest: float = 1.2,
    turn: float = 10.0,
) -> Float[Tensor, "n 3 s s"]:
    """`count` crops of `smallest` to `largest` of the side, turned by up to `turn` degrees, half of them mirrored.

    Beyond the edge the picture is reflected. Differentiable; pixels stay in [0, 1].
    """
    if picture.shape[-1] > 2 * input_size:
        # grid_sample reads four neighbours only: without this a crop of a large picture would skip most of its pixels.
        picture = functional.resize(picture, [2 * input_size], antialias=True)
    side = _uniform(random, count, smallest, largest)
    angle = _uniform(random, count, -math.radians(turn), math.radians(turn))
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    shift = _uniform(random, (2, count), -1.0, 1.0) * (1 - side).abs()
    across = (side * mirror * angle.cos(), -side * angle.sin(), shift[0])
    down = (side * mirror * angle.sin(), side * angle.cos(), shift[1])
    # As affine_grid gives, which takes seven times as long: a hundredth of a whole step on two cores.
    grid = torch.stack([_plane(*each, input_size, picture.device) for each in (across, down)], dim=-1)
    source = picture.expand(count, -1, -1, -1)
    return grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _plane(by_column: Tensor, by_row: Tensor, begin: Tensor, size: int, device: torch.device) -> Tensor:
    """One coordinate of every pixel [n, size, size], linear in column and row, which run from -1 to 1."""
    line = ((2 * torch.arange(size) + 1) / size - 1).to(device)
    columns, rows, middle = (each.to(device).reshape(-1, 1, 1) for each in (by_column, by_row, begin))
    return columns * line + rows * line.unsqueeze(1) + middle


def _uniform(random: torch.Generator, shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)
