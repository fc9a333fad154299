"""Noise on the views of a picture: a class that is recognised under noise does not depend on fine, faint patterns."""

import torch
from jaxtyping import Float
from torch import Tensor

POOL = 8
"""Number of pictures for which normal numbers are drawn once: new ones would take 7 % of a step on two cores."""


class Noise:
    """Gaussian noise; each view has its own standard deviation, uniform between 0 and `largest`."""

    def __init__(self, size: tuple[int, int], largest: float, random: torch.Generator, device: torch.device) -> None:
        self.largest, self.random = largest, random
        self.numbers = 3 * size[0] * size[1]
        self.pool = torch.randn(POOL * self.numbers if largest else 0, generator=random).to(device)

    @torch.no_grad()
    def added_to(self, views: Float[Tensor, "n 3 i j"], share: float = 1.0) -> Float[Tensor, "n 3 i j"]:
        """The views with `share` times the noise, still in [0, 1]; without gradients."""
        if not self.largest:
            return views.detach()
        begins = torch.randint(len(self.pool) - self.numbers, [len(views)], generator=self.random).tolist()
        scales = (share * self.largest * torch.rand(len(views), generator=self.random)).tolist()
        noisy = torch.empty_like(views)
        for row, view, begin, scale in zip(noisy, views, begins, scales, strict=True):
            torch.add(view, self.pool[begin : begin + self.numbers].view_as(view), alpha=scale, out=row).clamp_(0, 1)
        return noisy
