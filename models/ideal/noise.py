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

    def on(self, seen: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """The rows with noise, still in [0, 1]; differentiable."""
        if not self.most:
            return seen
        begins = torch.randint(len(self.pool) - self.numbers, [len(seen)], generator=self.random).tolist()
        scales = (self.most * torch.rand(len(seen), generator=self.random)).tolist()
        noise = torch.stack(
            [scale * self.pool[at : at + self.numbers] for scale, at in zip(scales, begins, strict=True)]
        )
        return (seen + noise.view_as(seen)).clamp(0, 1)
