"""Pictures on the lattice of 8-bit levels, and the smallest change on it that fools a linear model."""

import torch
from torch import Tensor

from models.attacks.objectives import SETTLED

SIDE = 16


def lattice_picture(seed: int) -> Tensor:
    """Return a picture on the lattice that is too far from black and white for a small change to reach them."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(60, 196, (1, 3, SIDE, SIDE), generator=random).float() / 255


def least_l2(gap: float, weight: Tensor) -> float:
    """Return the least L2 of whole levels that closes the gap: value i changes by round(s |w_i|) levels, s minimal.

    No other change of that length lowers a linear margin more: every further level of a value costs more than the one
    before, so the levels of the largest gain per cost come first.
    """
    gains = weight.abs().flatten().double() / 255
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        moves = (middle * gains).round()
        low, high = (low, middle) if (moves * gains).sum() > gap + SETTLED else (middle, high)
    return (high * gains).round().norm().item() / 255
