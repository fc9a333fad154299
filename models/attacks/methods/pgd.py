"""Projected gradient descent (Madry et al. 2018, arxiv.org/abs/1706.06083)."""

import torch

from models.attacks.geometry import Norm, Pictures, projection
from models.attacks.goal import Best, Goal
from models.attacks.methods.steepest import random_point, steepest
from models.query import Task


def pgd(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: float = 8 / 255,
    steps: int = 40,
    step_size: float | None = None,
    restarts: int = 1,
    random_start: bool = True,
    seed: int = 0,
) -> Task[None]:
    """From a random point of the ball, `steps` steps of steepest descent, each projected back into it.

    A step is 2.5 epsilon / steps without `step_size`, in the norm's own unit. Each restart begins at another point;
    without `random_start` the first begins at the picture itself. In L1 a step moves the largest hundredth of the
    gradient's values (Tramer & Boneh 2019, arxiv.org/abs/1904.13000). `best` holds the start's look and receives every
    better one. Costs `steps` passes with gradients and one without, per restart.
    """
    random = torch.Generator().manual_seed(seed)
    project = projection(norm, start)
    length = 2.5 * epsilon / steps if step_size is None else step_size
    for restart in range(restarts):
        picture = start
        if random_start or restart:
            picture = start + goal.masked(random_point(start, norm, epsilon, random) - start)
        for step in range(steps):
            look = yield from goal.look(picture)
            best.update(look)
            picture = project(picture.sub(steepest(look.slope, norm), alpha=length), epsilon)
            yield best.progress(restart * steps + step + 1, restarts * steps)
        best.update((yield from goal.look(picture, gradients=False)))
