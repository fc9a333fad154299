"""Draws the small pictures on which attacks are compared with those of other libraries."""

import torch
from torch import Tensor

from models.attacks.geometry import to_lattice


def draw_small_pictures() -> Tensor:
    """Return forty smooth pictures [40, 3, 32, 32] on the lattice; the tiny network predicts several classes."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(40, 3, 6, 6, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bicubic").clamp(0, 1)
    return to_lattice(smooth)
