"""The steps of Auto-PGD in Linf and L2 (Croce & Hein 2020, arxiv.org/abs/2003.01690)."""

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, project_l2, rows
from models.attacks.methods.steepest import steepest

MOMENTUM = 0.75
"""Of a move the share that is the new step; the rest goes on as the last move went."""
RISING = 0.75
"""The share of steps since the last checkpoint that must have helped for a step to stay as long (the paper's rho)."""


class HalvedSteps:
    """Steps with momentum, in Linf or L2: from twice epsilon, halved at checkpoints where they stop to help."""

    def __init__(self, start: Pictures, norm: Norm, epsilon: float, steps: int) -> None:
        self.start, self.norm, self.epsilon = start, norm, epsilon
        self.lowest, self.highest = (start - epsilon).clamp_(min=0), (start + epsilon).clamp_(max=1)
        self.length = start.new_full((len(start),), 2 * epsilon)
        self.before: Pictures | None = None
        self.checkpoints = checkpoints(steps)
        self.last_check = 0
        self.last_loss = self.last_least = start.new_full((len(start),), torch.inf)
        self.helped = torch.zeros_like(self.length)
        self.halved = torch.zeros_like(self.length, dtype=torch.bool)

    def onwards(self, pictures: Pictures, slope: Pictures) -> Pictures:
        """The next pictures."""
        step = steepest(slope, self.norm)
        moved = self._project(torch.addcmul(pictures, step, rows(self.length), value=-1))
        if self.before is not None:
            # In this order what did not move stays where it is, bit for bit.
            moved.lerp_(pictures, 1 - MOMENTUM).add_(pictures - self.before, alpha=1 - MOMENTUM)
            moved = self._project(moved)
        self.before = pictures
        return moved

    def _project(self, moved: Tensor) -> Tensor:
        if self.norm == "linf":
            return moved.clamp_(self.lowest, self.highest)
        return project_l2(moved, self.start, self.epsilon)

    def check(self, step: int, loss: PerRow, kept: Pictures, least: PerRow) -> Tensor | None:
        """At a checkpoint, the rows that go back to the best so far, with half the step."""
        if step:
            self.helped += loss < self.last_loss
        else:
            self.last_least = loss
        self.last_loss = loss
        if step not in self.checkpoints:
            return None
        stuck = ~self.halved & (least >= self.last_least)
        self.halved = stuck | (self.helped < RISING * (step - self.last_check))
        self.length = torch.where(self.halved, self.length / 2, self.length)
        self.helped, self.last_check, self.last_least = torch.zeros_like(self.helped), step, least
        self.last_loss = torch.where(self.halved, least, loss)
        return self.halved


def checkpoints(steps: int) -> frozenset[int]:
    """The steps at which lengths are judged: gaps of 22 % of all, each 3 % shorter than the last, of 6 % at least."""
    found, percent, gap = [], 22, 22
    while percent <= 100:
        found.append(-(-percent * steps // 100))
        gap = max(gap - 3, 6)
        percent += gap
    return frozenset(found)
