"""Noise on what the network sees: a shape that is only there without it is no shape."""

import torch
from jaxtyping import Float
from torch import Tensor

POOL = 8
"""Pictures' worth of normal numbers that are drawn once: fresh ones would take 7 % of a step on two cores."""


class Noise:
    """Gaussian noise of a standard deviation between 0 and `most`, another for each row."""

    def __init__(self, input_size: int, most: float, random: torch.Generator, device: torch.device) -> None:
        self.most, self.random = most, random
        self.numbers = 3 * input_size * input_size
        self.pool = torch.randn(POOL * self.numbers if most else 0, generator=random).to(device)

    @torch.no_grad()
    def on(self, seen: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """The rows with noise, still in [0, 1]; outside of any graph."""
        if not self.most:
            return seen.detach()
        begins = torch.randint(len(self.pool) - self.numbers, [len(seen)], generator=self.random).tolist()
        scales = (self.most * torch.rand(len(seen), generator=self.random)).tolist()
        shown = torch.empty_like(seen)
        for row, one, at, scale in zip(shown, seen, begins, scales, strict=True):
            torch.add(one, self.pool[at : at + self.numbers].view_as(one), alpha=scale, out=row).clamp_(0, 1)
        return shown
