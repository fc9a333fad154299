"""Decoupled direction and norm, a minimal L2 attack (Rony et al. 2019, arxiv.org/abs/1811.09600)."""

import math

import torch

from models.attacks.geometry import Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.methods.steepest import steepest
from models.query import Task


def ddn(
    start: Pictures, goal: Goal, best: Best, *, steps: int = 100, gamma: float = 0.05, initial: float = 1.0
) -> Task[None]:
    """The gradient chooses the direction; the length grows or shrinks by `gamma` as the goal is missed or met.

    The first length is `initial`, in units of L2 at the model's own resolution, and the step falls from one such unit
    to a hundredth along a cosine: both are enlarged with the picture (`goal.scale`). `best` receives every smaller win.
    Costs `steps` passes with gradients.
    """
    change = torch.zeros_like(start)
    longest = size(torch.maximum(start, 1 - start), "l2")
    length = torch.full_like(longest, initial * goal.scale).minimum(longest)
    for step in range(steps):
        look = yield from goal.look(start + change)
        best.update(look)
        step_size = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        change = change.sub(steepest(look.slope, "l2"), alpha=step_size * goal.scale)
        length = torch.where(look.won, (1 - gamma) * length, (1 + gamma) * length).minimum(longest)
        change *= rows(length / size(change, "l2").clamp(min=1e-12))
        change = change.add_(start).clamp_(0, 1).sub_(start)
        yield best.progress(step + 1, steps)
