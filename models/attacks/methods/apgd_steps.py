"""The steps of APGD in Linf and L2, and their checkpoints (Croce & Hein 2020, arxiv.org/abs/2003.01690)."""

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, project_l2, rows
from models.attacks.methods.steepest import steepest

MOMENTUM = 0.75
"""Fraction of a move that comes from the new step; the rest continues the last move (the paper's alpha)."""
RISING = 0.75
"""Fraction of the steps since the last checkpoint that must lower the loss to keep the step size (the paper's rho)."""


class HalvedSteps:
    """Steps with momentum in Linf or L2: first 2 epsilon long, halved at checkpoints where they stop helping."""

    def __init__(self, start: Pictures, norm: Norm, epsilon: float, steps: int) -> None:
        self.start, self.norm, self.epsilon = start, norm, epsilon
        self.lowest, self.highest = (start - epsilon).clamp_(min=0), (start + epsilon).clamp_(max=1)
        self.length = start.new_full((len(start),), 2 * epsilon)
        self.before: Pictures | None = None
        self.checkpoints = checkpoints(steps)
        self.last_check = 0
        self.last_loss = self.last_lowest_loss = start.new_full((len(start),), torch.inf)
        self.helpful_steps = torch.zeros_like(self.length)
        self.halved = torch.zeros_like(self.length, dtype=torch.bool)

    def step(self, pictures: Pictures, gradients: Pictures) -> Pictures:
        """The next pictures."""
        direction = steepest(gradients, self.norm)
        moved = self._project(torch.addcmul(pictures, direction, rows(self.length), value=-1))
        if self.before is not None:
            # In this order a value that did not move stays bit for bit the same.
            moved.lerp_(pictures, 1 - MOMENTUM).add_(pictures - self.before, alpha=1 - MOMENTUM)
            moved = self._project(moved)
        self.before = pictures
        return moved

    def _project(self, moved: Tensor) -> Tensor:
        if self.norm == "linf":
            return moved.clamp_(self.lowest, self.highest)
        return project_l2(moved, self.start, self.epsilon)

    def check(self, step: int, loss: PerRow, lowest_pictures: Pictures, lowest_loss: PerRow) -> Tensor | None:
        """At a checkpoint, the rows that restart at their best pictures, with half the step size; otherwise None."""
        if step:
            self.helpful_steps += loss < self.last_loss
        else:
            self.last_lowest_loss = loss
        self.last_loss = loss
        if step not in self.checkpoints:
            return None
        stuck = ~self.halved & (lowest_loss >= self.last_lowest_loss)
        self.halved = stuck | (self.helpful_steps < RISING * (step - self.last_check))
        self.length = torch.where(self.halved, self.length / 2, self.length)
        self.helpful_steps = torch.zeros_like(self.helpful_steps)
        self.last_check, self.last_lowest_loss = step, lowest_loss
        self.last_loss = torch.where(self.halved, lowest_loss, loss)
        return self.halved


def checkpoints(steps: int) -> frozenset[int]:
    """The steps with a check of the step size, at these percentages of all steps: the first at 22 %.

    Each gap is 3 percentage points shorter than the last, but at least 6.
    """
    at_steps, percent, gap = [], 22, 22
    while percent <= 100:
        at_steps.append(-(-percent * steps // 100))
        gap = max(gap - 3, 6)
        percent += gap
    return frozenset(at_steps)
