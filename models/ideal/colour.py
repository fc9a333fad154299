"""Colours from planes of any range: with the colour correlation of photos, and squeezed into [0, 1]."""

import torch
from jaxtyping import Float
from torch import Tensor

DECORRELATED = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]) / 0.462
"""Square root of the colour covariance of natural pictures, divided by the largest norm of its columns (Olah et al.
2017, distill.pub/2017/feature-visualization)."""


def colours(planes: Float[Tensor, "c h w"]) -> Float[Tensor, "1 3 h w"]:
    """Three decorrelated planes as colours, or one plane as grey; 0 is middle grey. Differentiable."""
    if len(planes) == 1:
        return planes.sigmoid().expand(3, -1, -1).unsqueeze(0)
    return torch.einsum("oc,chw->ohw", DECORRELATED.to(planes), planes).sigmoid().unsqueeze(0)
