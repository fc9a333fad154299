"""Square windows of pictures for the Square attack: where they may lie, and the bumps that it puts there in L2.

After Andriushchenko et al. 2020, arxiv.org/abs/1912.00049.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.attacks.geometry import Pictures
from models.attacks.goal import Goal

TINY = 1e-12
"""Smallest divisor of a norm."""

Window = tuple[slice, slice]
"""The rows and columns of a window."""


def bump(side: int) -> Float[Tensor, "s s"]:
    """A window of L2 norm 1: its upper half rises to a peak, its lower half falls to a trough."""
    halves = torch.cat([_pyramid(side // 2, side), -_pyramid(side - side // 2, side)])
    unit: Tensor = halves / halves.norm()
    return unit


def _pyramid(height: int, width: int) -> Float[Tensor, "a b"]:
    """Highest in the middle: a value at distance d is the sum of 1 / j^2 for j from d + 1 to the edge."""
    down, across = (torch.arange(height) - height // 2).abs(), (torch.arange(width) - width // 2).abs()
    heights = (1 / torch.arange(1, max(height, width) // 2 + 2).square()).flip(0).cumsum(0).flip(0)
    return heights[torch.maximum(down[:, None], across)]


def energy(change: Tensor) -> Float[Tensor, "n 3 1 1"]:
    """The squared L2 norm of each channel."""
    return change.square().sum(dim=(2, 3), keepdim=True)


def unit(change: Tensor) -> Tensor:
    """Each channel divided by its L2 norm."""
    return change / energy(change).sqrt().clamp(min=TINY)


def area(start: Pictures, goal: Goal) -> tuple[int, int, int, int]:
    """Top, left, height and width of the box of pixels that the model sees (photos are cropped) and the mask allows."""
    pixels = start[:1].detach().requires_grad_()
    sums = [goal.preprocess(view(pixels)).sum() for view in goal.views] or [goal.preprocess(pixels).sum()]
    (gradients,) = torch.autograd.grad(torch.stack(sums).sum(), pixels)
    matters = (goal.masked(gradients) != 0).any(dim=1)[0]
    down, across = matters.any(dim=1).nonzero(), matters.any(dim=0).nonzero()
    if not len(down):
        return 0, 0, *matters.shape
    top, left = int(down[0]), int(across[0])
    return top, left, int(down[-1]) - top + 1, int(across[-1]) - left + 1
