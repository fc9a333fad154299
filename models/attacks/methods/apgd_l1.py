"""The steps of APGD in L1: steepest descent of adaptive sparsity (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

import torch
from torch import Tensor

from models.attacks.geometry import PerRow, Pictures, project_l1, projection, rows
from models.attacks.goal import Goal
from models.attacks.methods.steepest import signs_of_largest

FIRST_SHARE = 0.2
"""Fraction of all values that move in a first step."""
SPARSER = 1.5
"""Divisor of the number of values that changed in the best pictures, and of the length of steps that stop helping."""
SHORTEST = 0.1
"""Shortest step, as a fraction of the first one, which is epsilon long."""
SETTLING = 0.95
"""A row's best picture is still becoming sparser if it changes fewer than this fraction of the values that the best
picture changed at the last check."""


class SparseSteps:
    """Steps that move only the values of largest gradient, in a number that follows from the best pictures so far."""

    def __init__(self, start: Pictures, goal: Goal, epsilon: float, steps: int) -> None:
        self.start, self.epsilon, self.project = start, epsilon, projection("l1", start)
        values = start[0].numel() if goal.mask is None else start.shape[1] * int(goal.mask.sum())
        self.values_to_move = start.new_full((len(start),), FIRST_SHARE * values)
        self.values_changed = start.new_full((len(start),), float(values))
        self.length = start.new_full((len(start),), epsilon)
        self.check_every = -(-4 * steps // 100)

    @staticmethod
    def random_change(start: Pictures, epsilon: float, random: torch.Generator) -> Tensor:
        """Noise projected into the ball: only its largest values remain, so the start is as sparse as what follows."""
        noise = torch.randn(1, *start.shape[1:], generator=random).to(start.device)
        return project_l1(start + noise, start, epsilon) - start

    def step(self, pictures: Pictures, gradients: Pictures) -> Pictures:
        """The next pictures."""
        direction = signs_of_largest(gradients, self.values_to_move)
        length = self.length / direction.abs().sum(dim=(1, 2, 3)).clamp(min=1)
        return self.project(torch.addcmul(pictures, direction, rows(length), value=-1), self.epsilon)

    def check(self, step: int, loss: PerRow, lowest_pictures: Pictures, lowest_loss: PerRow) -> Tensor | None:
        """At a checkpoint, the rows that restart at their best pictures: those whose best became sparser; else None."""
        if step == 0 or step % self.check_every:
            return None
        changed = (lowest_pictures != self.start).sum(dim=(1, 2, 3)).to(self.values_changed.dtype)
        sparser = changed < SETTLING * self.values_changed
        shorter = (self.length / SPARSER).clamp(min=SHORTEST * self.epsilon)
        self.length = torch.where(sparser, self.epsilon, shorter)
        self.values_to_move, self.values_changed = changed / SPARSER, changed
        return sparser
