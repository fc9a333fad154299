"""The momentum iterative fast gradient sign method, MI-FGSM (Dong et al. 2018, arxiv.org/abs/1710.06081)."""

from typing import Annotated

import torch

from models.attacks.geometry import Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.shared_options import Epsilon, Steps, Stop
from models.options import Option
from models.query import Task


def mi_fgsm(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    epsilon: Epsilon = 8 / 255,
    steps: Steps = 10,
    momentum: Annotated[
        float,
        Option(
            "Weight of the sum of all earlier gradients beside the newest gradient (the decay factor of the paper); 0 "
            "uses the newest alone. Larger values keep the direction steadier from step to step.",
            least=0.0,
            most=10.0,
        ),
    ] = 1.0,
    stop: Stop = "strongest",
) -> Task[None]:
    """From the picture itself, steps of epsilon / steps along the sign of a running sum of gradients, in Linf.

    The sum is multiplied by `momentum` (the paper's decay factor) before each gradient, divided by its own L1 norm, is
    added. `best` holds the start's look and receives every look. Costs `steps` passes with gradients and one without.
    """
    lowest, highest = (start - epsilon).clamp_(min=0), (start + epsilon).clamp_(max=1)
    velocity = torch.zeros_like(start)
    picture = start
    for step in range(steps):
        look = yield from goal.look(picture)
        best.update(look)
        weight = 1 / size(look.gradients, "l1").clamp(min=1e-30)
        velocity.mul_(momentum).addcmul_(look.gradients, rows(weight))
        picture = torch.add(picture, velocity.sign(), alpha=-epsilon / steps).clamp_(lowest, highest)
        yield best.progress(step + 1, steps)
        if stop == "first" and best.settled:
            return
    best.update((yield from goal.look(picture, gradients=False)))
