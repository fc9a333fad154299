"""The momentum iterative fast gradient sign method (Dong et al. 2018, arxiv.org/abs/1710.06081)."""

import torch

from models.attacks.geometry import Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.query import Task


def mi_fgsm(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    epsilon: float = 8 / 255,
    steps: int = 10,
    momentum: float = 1.0,
) -> Task[None]:
    """From the picture itself, `steps` steps of epsilon / steps along the sign of a running sum of gradients; Linf.

    Each gradient counts by its share of its own L1 norm, and the sum before it `momentum` times (the paper's decay).
    `best` holds the start's look and receives every better one. Costs `steps` passes with gradients and one without.
    """
    lowest, highest = (start - epsilon).clamp_(min=0), (start + epsilon).clamp_(max=1)
    velocity = torch.zeros_like(start)
    picture = start
    for step in range(steps):
        look = yield from goal.look(picture)
        best.update(look)
        share = 1 / size(look.slope, "l1").clamp(min=1e-30)
        velocity.mul_(momentum).addcmul_(look.slope, rows(share))
        picture = torch.add(picture, velocity.sign(), alpha=-epsilon / steps).clamp_(lowest, highest)
        yield best.progress(step + 1, steps)
    best.update((yield from goal.look(picture, gradients=False)))
