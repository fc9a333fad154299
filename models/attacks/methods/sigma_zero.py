"""sigma-zero, a minimal L0 attack by a smooth count of changed pixels (Cina et al. 2025, arxiv.org/abs/2402.01879)."""

import math
from typing import Annotated

import torch
from torch import Tensor

from models.attacks.geometry import Pictures, rows
from models.attacks.goal import Best, Goal
from models.attacks.methods.adam import Adam
from models.attacks.objectives import margin
from models.attacks.shared_options import Steps
from models.options import Option
from models.query import Task

THRESHOLD = 0.3
"""The first threshold, in pixel values from 0 to 1: changes below it are undone."""


def sigma_zero(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: Steps = 300,
    step_size: Annotated[
        float,
        Option(
            "Learning rate of Adam at the first step, on pixel values from 0 to 1; it falls to a tenth by the last "
            "step. Larger values search further from the picture and settle less exactly.",
            least=1e-6,
            most=1e6,
        ),
    ] = 1.0,
    sigma: Annotated[
        float,
        Option(
            "Smoothing of the count of changed pixels: a pixel whose squared change is d counts as d / (d + sigma), "
            "with pixel values from 0 to 1. Smaller values are closer to the true count, and harder to minimise.",
            least=1e-6,
            most=1.0,
        ),
    ] = 1e-3,
    threshold_step: Annotated[
        float,
        Option(
            "How much the threshold below which the change of a pixel is undone rises after a step that reached the "
            "goal, and falls after one that did not, as a fraction of the current learning rate. Larger values make "
            "the perturbation sparse sooner, but less steadily.",
            least=1e-4,
            most=1.0,
        ),
    ] = 0.01,
) -> Task[None]:
    """Minimise the missing margin plus a smooth count of changed pixels by Adam; undo small changes after each step.

    The count of a pixel is d / (d + `sigma`), where d is its squared change over all channels. A pixel is undone if its
    largest channel has moved by less than a threshold, which rises after a win and falls after a failure by
    `threshold_step` times the step size. The step size falls to a tenth along a cosine. `best` receives every look.
    Costs `steps` passes with gradients.
    """
    least, most = -start, 1 - start
    change, adam = torch.zeros_like(start), Adam(start)
    threshold = torch.full_like(best.loss, THRESHOLD)
    for step in range(steps):
        look = yield from goal.look(start + change, score=margin)
        best.update(look)
        eta = step_size * (0.1 + 0.9 * (1 + math.cos(math.pi * step / steps)) / 2)
        gradients = _gradients_of_count(change, sigma).addcmul_(look.gradients, rows((~look.won).to(start.dtype)))
        gradients /= rows(gradients.abs().amax(dim=(1, 2, 3)).clamp(min=1e-12))
        adam.descend(change, gradients, eta)
        torch.clamp(change, least, most, out=change)
        threshold = (threshold + torch.where(look.won, eta, -eta) * threshold_step).clamp(0, 1)
        undone = (rows(threshold) - change.abs().amax(dim=1, keepdim=True)).sign_().clamp_(min=0)  # 1 or 0
        change.addcmul_(change, undone, value=-1)
        yield best.progress(step + 1, steps)


def _gradients_of_count(change: Pictures, sigma: float) -> Tensor:
    """Gradients of the mean over pixels of d / (d + sigma), where d is a pixel's squared change over its channels."""
    weight = change.square().sum(dim=1, keepdim=True).add_(sigma).square_().reciprocal_()
    return change * weight.mul_(2 * sigma / weight[0].numel())
