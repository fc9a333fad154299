"""Random crops of a picture as a network sees it: what still scores under all of them is no accident of one pixel."""

import math

import torch
from jaxtyping import Complex, Float
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
    grid = _grid(torch.polar(side, angle), mirror, torch.complex(*shift), input_size, picture.device)
    source = picture.expand(count, -1, -1, -1)
    return grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _grid(
    turn: Complex[Tensor, " n"],
    mirror: Float[Tensor, " n"],
    shift: Complex[Tensor, " n"],
    size: int,
    device: torch.device,
) -> Float[Tensor, "n s s 2"]:
    """Where in the picture, from -1 to 1 across and down, each pixel of a crop lies: turn x (pixel, mirrored) + shift.

    Of complex numbers, across and down in one: affine_grid, which gives the same, takes many times as long.
    """
    line = ((2 * torch.arange(size) + 1) / size - 1).to(device)
    across, down, begin = (each.to(device).reshape(-1, 1, 1) for each in (turn * mirror, turn * 1j, shift))
    return torch.view_as_real(across * line + (down * line.unsqueeze(1) + begin))


def _uniform(random: torch.Generator, shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)
