"""When gradient ascent has got where it will get."""

from collections import deque
from statistics import fmean

from jaxtyping import Float
from torch import Tensor

WINDOW = 8
"""Steps over which a figure is averaged: one step's crops differ from the next one's."""
RISE = 0.01
"""By less than this share of the best, a figure has not risen."""


class Patience:
    """Listens to a figure that should rise, and is spent when its mean has not for so many steps (0: never)."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.heard: deque[float] = deque(maxlen=WINDOW)
        self.best: float | None = None
        self.since = 0

    def hear(self, figure: Float[Tensor, ""]) -> None:
        """The figure after one more step."""
        if not self.steps:
            return
        self.heard.append(figure.item())
        if len(self.heard) < WINDOW:
            return
        mean = fmean(self.heard)
        if self.best is None or mean > self.best + RISE * abs(self.best):
            self.best, self.since = mean, 0
        else:
            self.since += 1

    @property
    def spent(self) -> bool:
        """Whether it has waited long enough."""
        return 0 < self.steps <= self.since
