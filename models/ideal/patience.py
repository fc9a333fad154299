"""Early stopping of gradient ascent, when the subject is not recognised better any more."""

import math
from collections import deque
from statistics import fmean

from jaxtyping import Float
from torch import Tensor

WINDOW = 8
"""Number of steps over which a value is averaged, since the random crops differ from step to step."""
RISE = 0.01
"""A mean counts as a rise where it is above the best mean by more than this fraction of it."""


class Patience:
    """Watches a value that should rise, and is exhausted when its mean has not risen for `steps` steps (0: never).

    It is exhausted as well when the mean has reached `enough` (math.inf: never).
    """

    def __init__(self, steps: int, enough: float = math.inf) -> None:
        self.steps = steps
        self.enough = enough
        self.window: deque[float] = deque(maxlen=WINDOW)
        self.best: float | None = None
        self.steps_without_rise = 0
        self.has_enough = False

    def update(self, value: Float[Tensor, ""]) -> None:
        """Record the value after one more step."""
        if not self.steps and self.enough == math.inf:
            return
        self.window.append(value.item())
        if len(self.window) < WINDOW:
            return
        mean = fmean(self.window)
        self.has_enough = mean >= self.enough
        if self.best is None or mean > self.best + RISE * abs(self.best):
            self.best, self.steps_without_rise = mean, 0
        else:
            self.steps_without_rise += 1

    @property
    def exhausted(self) -> bool:
        """Whether the ascent should end."""
        return self.has_enough or 0 < self.steps <= self.steps_without_rise
