"""Fast minimum-norm attacks in four norms (Pintor et al. 2021, 2102.12827)."""

import math

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, projection, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.objectives import margin
from models.query import Task

SEARCHING = 0.5
"""The share by which an L0 ball grows until the goal is first met: by single pixels a few hundred are never reached."""
DUAL: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}


def fmn(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    steps: int = 100,
    gamma: float = 0.05,
    step_size: float = 1.0,
) -> Task[None]:
    """Steps down the margin, each projected into a ball that shrinks while the goal is met and grows while it is not.

    Until the goal is first met the ball reaches a little beyond the border of a linear model (in L0 it grows by half,
    from one pixel). Then its size changes by the share `gamma`, in L0 by a pixel at least; the share falls to a
    fiftieth along a cosine. In every norm a step is along the gradient and of the L2 length `step_size`, which falls to
    a hundredth: at the model's own resolution, and enlarged with the picture (`goal.scale`), as are L0's pixels. Costs
    `steps` passes with gradients.
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
            reach = epsilon if best.won.all() else _reach(start, look, goal.confidence, norm).where(~best.won, epsilon)
            grown = reach * (1 + share)
            epsilon = torch.where(look.won, (epsilon * (1 - share)).minimum(best.size), grown)
        epsilon = epsilon.minimum(widest)
        length = alpha * (0.01 + 0.99 * cosine) / size(look.slope, "l2").clamp(min=1e-30)
        moved = torch.addcmul(pictures, look.slope, rows(-length))
        pictures = project(moved, rows(epsilon) if norm == "linf" else epsilon)
        yield best.progress(step + 1, steps)


def _pixels(goal: Goal) -> int:
    """How many of the picture's pixels are one of the model's."""
    return max(1, round(goal.scale**2))


def _reach(start: Pictures, look: Look, confidence: float, norm: Norm) -> PerRow:
    """As far as the picture is, and on to where a linear loss would meet the goal."""
    steepness = size(look.slope, DUAL[norm]).clamp(min=1e-12)
    return size(look.pictures - start, norm) + (look.loss + confidence).abs() / steepness


def _pixel_budget(epsilon: Tensor, look: Look, best: Best, share: float, pixels: int) -> Tensor:
    """One model's pixel fewer or more at least."""
    share_up = torch.where(best.won, share, SEARCHING)
    fewer = (epsilon - pixels).minimum((epsilon * (1 - share)).floor()).minimum(best.size)
    more = (epsilon + pixels).maximum((epsilon * (1 + share_up)).floor())
    return torch.where(look.won, fewer, more).clamp(min=0)
