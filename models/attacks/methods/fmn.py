"""Fast minimum-norm attacks, FMN, in four norms (Pintor et al. 2021, arxiv.org/abs/2102.12827)."""

import math
from typing import Annotated

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, projection, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.objectives import margin
from models.attacks.shared_options import Gamma, Steps
from models.options import Option
from models.query import Task

L0_GROWTH = 0.5
"""Share by which an L0 ball grows until the first win: pixel by pixel it would never reach the hundreds it may need."""
DUAL: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}
"""The dual norm, in which the gradient says how much a change of size 1 in a norm can lower the loss."""


def fmn(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    steps: Steps = 100,
    gamma: Gamma = 0.05,
    step_size: Annotated[
        float,
        Option(
            "L2 length of the first step, with pixel values from 0 to 1, for a picture of the model's own size (longer "
            "for a larger picture, in proportion to its sides); the length falls to a hundredth by the last step. "
            "Longer steps search further from the picture.",
            least=1e-6,
            most=1e6,
        ),
    ] = 1.0,
) -> Task[None]:
    """Steps down the margin, each projected into a ball that shrinks after a win and grows after a failure.

    Until the first win the ball reaches a little beyond the decision boundary of the model taken as linear (in L0 it
    starts at one pixel and grows by half). Then its size changes by the share `gamma`, which falls to a fiftieth along
    a cosine; in L0 it changes by at least one pixel. In every norm a step follows the gradient and has the L2 length
    `step_size`, which falls to a hundredth. That length is for the model's own resolution, and is multiplied by
    `goal.scale`; a pixel in L0 stands for `goal.scale` squared pixels. `best` receives every look. Costs `steps` passes
    with gradients.
    """
    alpha = goal.scale * step_size
    widest = size(torch.maximum(start, 1 - start), norm)
    epsilon = torch.full_like(widest, _pixels(goal) if norm == "l0" else torch.inf)
    pictures, project = start, projection(norm, start)
    for step in range(steps):
        look = yield from goal.look(pictures, score=margin)
        best.update(look)
        cosine = (1 + math.cos(math.pi * step / steps)) / 2
        share = gamma * (0.02 + 0.98 * cosine)
        if norm == "l0":
            epsilon = _pixel_budget(epsilon, look, best, share, _pixels(goal))
        else:
            reach = epsilon if best.all_won else _reach(start, look, goal.confidence, norm)
            if any(best.wins):
                reach = reach.where(~best.won, epsilon)
            grown = reach * (1 + share)
            epsilon = torch.where(look.won, (epsilon * (1 - share)).minimum(best.size), grown)
        epsilon = epsilon.minimum(widest)
        length = alpha * (0.01 + 0.99 * cosine) / size(look.gradients, "l2").clamp(min=1e-30)
        moved = torch.addcmul(pictures, look.gradients, rows(-length))
        pictures = project(moved, rows(epsilon) if norm == "linf" else epsilon)
        yield best.progress(step + 1, steps)


def _pixels(goal: Goal) -> int:
    """How many pixels of the picture correspond to one pixel at the model's resolution."""
    return max(1, round(goal.scale**2))


def _reach(start: Pictures, look: Look, confidence: float, norm: Norm) -> PerRow:
    """The distance of the pictures from the start, plus the distance from there to where a linear loss would win."""
    dual_norm = size(look.gradients, DUAL[norm]).clamp(min=1e-12)
    return size(look.pictures - start, norm) + (look.loss + confidence).abs() / dual_norm


def _pixel_budget(epsilon: Tensor, look: Look, best: Best, share: float, pixels: int) -> Tensor:
    """The next L0 budget: smaller after a win and larger after a failure, by at least one pixel of the model's size."""
    share_up = torch.where(best.won, share, L0_GROWTH)
    fewer = (epsilon - pixels).minimum((epsilon * (1 - share)).floor()).minimum(best.size)
    more = (epsilon + pixels).maximum((epsilon * (1 + share_up)).floor())
    return torch.where(look.won, fewer, more).clamp(min=0)
