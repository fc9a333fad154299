"""The steps of Auto-PGD in L1: steepest descent of adaptive sparsity (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

import torch
from torch import Tensor

from models.attacks.geometry import PerRow, Pictures, project_l1, projection, rows
from models.attacks.goal import Goal
from models.attacks.methods.steepest import signs_of_largest

FIRST_SHARE = 0.2
"""Of the values, how many move in a first step."""
SPARSER = 1.5
"""What divides the number of values that moved in the best, for the next steps; and a step that has stopped to help."""
SHORTEST = 0.1
"""Of the first step, which is epsilon."""
SETTLING = 0.95
"""While the best has fewer than this share of the last check's values, the search is still for where to move."""


class SparseSteps:
    """Steps that move only the values of largest gradient, how many being told by the best picture so far."""

    def __init__(self, start: Pictures, goal: Goal, epsilon: float, steps: int) -> None:
        self.start, self.epsilon, self.project = start, epsilon, projection("l1", start)
        values = start[0].numel() if goal.mask is None else start.shape[1] * int(goal.mask.sum())
        self.moving = start.new_full((len(start),), FIRST_SHARE * values)
        self.moved = start.new_full((len(start),), float(values))
        self.length = start.new_full((len(start),), epsilon)
        self.every = -(-4 * steps // 100)

    @staticmethod
    def random_change(start: Pictures, epsilon: float, random: torch.Generator) -> Tensor:
        """Noise cut to the ball: its largest values alone are left, so the start is as sparse as what follows."""
        noise = torch.randn(1, *start.shape[1:], generator=random).to(start.device)
        return project_l1(start + noise, start, epsilon) - start

    def onwards(self, pictures: Pictures, slope: Pictures) -> Pictures:
        """The next pictures."""
        step = signs_of_largest(slope, self.moving)
        length = self.length / step.abs().sum(dim=(1, 2, 3)).clamp(min=1)
        return self.project(torch.addcmul(pictures, step, rows(length), value=-1), self.epsilon)

    def check(self, step: int, loss: PerRow, kept: Pictures, least: PerRow) -> Tensor | None:
        """At every checkpoint, the rows that go back to the best so far: those whose best has become sparser."""
        if step == 0 or step % self.every:
            return None
        moved = (kept != self.start).sum(dim=(1, 2, 3)).to(self.moved.dtype)
        sparser = moved < SETTLING * self.moved
        shorter = (self.length / SPARSER).clamp(min=SHORTEST * self.epsilon)
        self.length = torch.where(sparser, self.epsilon, shorter)
        self.moving, self.moved = moved / SPARSER, moved
        return sparser
