"""Projected gradient descent (Madry et al. 2018, arxiv.org/abs/1706.06083)."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.attacks.geometry import project_linf
from models.attacks.goal import Best, Goal
from models.query import Task


def pgd(
    start: Float[Tensor, "n 3 h w"],
    goal: Goal,
    best: Best,
    *,
    epsilon: float = 8 / 255,
    steps: int = 40,
    seed: int = 0,
) -> Task[None]:
    """From a random point of the Linf ball, `steps` steps of 2.5 epsilon / steps along the gradient's sign.

    `best` holds the start's look and receives every better one, so a task that is stopped midway has its best so
    far. Costs `steps` passes with gradients and one without.
    """
    step_size = 2.5 * epsilon / steps
    random = torch.Generator().manual_seed(seed)
    noise = torch.rand(start.shape, generator=random).to(start.device) * 2 - 1
    picture = project_linf(start + epsilon * noise, start, epsilon)
    for step in range(steps):
        look = yield from goal.look(picture)
        best.update(look)
        assert look.gradients is not None
        picture = project_linf(picture - step_size * look.gradients.sign(), start, epsilon)
        yield best.progress(step + 1, steps)
    best.update((yield from goal.look(picture, gradients=False)))
