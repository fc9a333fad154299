"""Decoupled direction and norm (DDN), a minimal L2 attack (Rony et al. 2019, arxiv.org/abs/1811.09600)."""

import math
from typing import Annotated

import torch

from models.attacks.geometry import Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.methods.steepest import steepest
from models.attacks.shared_options import Gamma, Steps
from models.options import Option
from models.query import Task


def ddn(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: Steps = 100,
    gamma: Gamma = 0.05,
    initial: Annotated[
        float,
        Option(
            "L2 norm of the perturbation after the first step, with pixel values from 0 to 1, for a picture of the "
            "model's own size (more for a larger picture, in proportion to its sides). The nearer it is to the "
            "smallest perturbation, the fewer steps are needed.",
            least=1e-3,
            most=1e3,
        ),
    ] = 1.0,
) -> Task[None]:
    """Steps along the gradient, after each of which the change is given a length that follows the goal.

    The length shrinks by `gamma` while the goal is reached, and grows by it while not. The step size falls from 1 to
    0.01 along a cosine, in units of L2 at the model's own resolution; like `initial` it is multiplied by `goal.scale`.
    `best` receives every look. Costs `steps` passes with gradients.
    """
    change = torch.zeros_like(start)
    longest = size(torch.maximum(start, 1 - start), "l2")
    length = torch.full_like(longest, initial * goal.scale).minimum(longest)
    for step in range(steps):
        look = yield from goal.look(start + change)
        best.update(look)
        step_size = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        change = change.sub(steepest(look.gradients, "l2"), alpha=step_size * goal.scale)
        length = torch.where(look.won, (1 - gamma) * length, (1 + gamma) * length).minimum(longest)
        change *= rows(length / size(change, "l2").clamp(min=1e-12))
        change = change.add_(start).clamp_(0, 1).sub_(start)
        yield best.progress(step + 1, steps)
