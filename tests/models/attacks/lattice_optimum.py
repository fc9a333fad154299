"""Pictures on the lattice, and the smallest change on it that fools a linear model: known answers for tests."""

import torch
from torch import Tensor

from models.attacks.objectives import SETTLED

SIDE = 16


def lattice_picture(seed: int) -> Tensor:
    """On the lattice, and so far from black and white that no change of a few levels reaches them."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(60, 196, (1, 3, SIDE, SIDE), generator=random).float() / 255


def least_l2(gap: float, weight: Tensor) -> float:
    """The least L2 of whole levels that loses the gap: value i by round(s |w_i|) levels, s as small as can be.

    No other whole levels of that length lose more of a linear margin, since each further level of a value costs more
    than its last: those of most gain per cost are taken first.
    """
    gains = weight.abs().flatten().double() / 255
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        moves = (middle * gains).round()
        low, high = (low, middle) if (moves * gains).sum() > gap + SETTLED else (middle, high)
    return (high * gains).round().norm().item() / 255
