"""sigma-zero, a minimal L0 attack by gradients of a smooth count (Cina et al. 2025, 2402.01879)."""

import math

import torch
from torch import Tensor

from models.attacks.geometry import Pictures, rows
from models.attacks.goal import Best, Goal
from models.attacks.methods.adam import Adam
from models.attacks.objectives import margin
from models.query import Task

THRESHOLD = 0.3
"""The first, of the range from black to white."""


def sigma_zero(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: int = 300,
    step_size: float = 1.0,
    sigma: float = 1e-3,
    threshold_step: float = 0.01,
) -> Task[None]:
    """Lower the margin that is missing plus a smooth share of changed pixels, and undo what changes a pixel little.

    A pixel counts once with all its channels: its squared change d is d / (d + `sigma`) of one, and it is undone when
    its largest channel has moved by less than a threshold in pixel units, which goes up while the goal is met and down
    while not, by `threshold_step` times the step size. That is Adam's, in pixel units, and falls to a tenth along a
    cosine. Costs `steps` passes with gradients.
    """
    least, most = -start, 1 - start
    change, adam = torch.zeros_like(start), Adam(start)
    threshold = torch.full_like(best.loss, THRESHOLD)
    for step in range(steps):
        look = yield from goal.look(start + change, score=margin)
        best.update(look)
        eta = step_size * (0.1 + 0.9 * (1 + math.cos(math.pi * step / steps)) / 2)
        slope = _slope_of_count(change, sigma).addcmul_(look.slope, rows((~look.won).to(start.dtype)))
        slope /= rows(slope.abs().amax(dim=(1, 2, 3)).clamp(min=1e-12))
        adam.descend(change, slope, eta)
        torch.clamp(change, least, most, out=change)
        threshold = (threshold + torch.where(look.won, eta, -eta) * threshold_step).clamp(0, 1)
        little = (rows(threshold) - change.abs().amax(dim=1, keepdim=True)).sign_().clamp_(min=0)  # 1 or 0
        change.addcmul_(change, little, value=-1)
        yield best.progress(step + 1, steps)


def _slope_of_count(change: Pictures, sigma: float) -> Tensor:
    """Of the mean over pixels of d / (d + sigma), d the square of a pixel's change over its channels."""
    weight = change.square().sum(dim=1, keepdim=True).add_(sigma).square_().reciprocal_()
    return change * weight.mul_(2 * sigma / weight[0].numel())
