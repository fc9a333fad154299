"""Projected gradient descent, PGD (Madry et al. 2018, arxiv.org/abs/1706.06083)."""

from dataclasses import replace
from typing import Annotated

import torch

from models.attacks.geometry import Norm, Pictures, projection
from models.attacks.goal import Best, Goal
from models.attacks.methods.steepest import random_point, steepest
from models.attacks.shared_options import STEP_SIZE, Epsilon, Restarts, Seed, Steps, Stop
from models.options import Option
from models.query import Task


def pgd(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: Epsilon = 8 / 255,
    steps: Steps = 40,
    step_size: Annotated[float | None, replace(STEP_SIZE, default_text="2.5 * epsilon / steps")] = None,
    restarts: Restarts = 1,
    random_start: Annotated[
        bool,
        Option("Whether the first run begins at a random point within the budget (true) or at the picture itself."),
    ] = True,
    seed: Seed = 0,
    stop: Stop = "strongest",
) -> Task[None]:
    """From a random point of the ball, `steps` steps of steepest descent, each projected back into the ball.

    A step is 2.5 epsilon / steps long by default, measured in the norm. Each of the `restarts` runs begins at another
    random point; without `random_start` the first begins at the picture itself. In L1 a step moves the hundredth of the
    values with the largest gradients (Tramer & Boneh 2019, arxiv.org/abs/1904.13000). `best` holds the start's look and
    receives every look. With `stop` "first" the attack ends once all rows have won. Costs `steps` passes with
    gradients and one without, per run.
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
            picture = project(picture.sub(steepest(look.gradients, norm), alpha=length), epsilon)
            yield best.progress(restart * steps + step + 1, restarts * steps)
            if stop == "first" and best.settled:
                return
        best.update((yield from goal.look(picture, gradients=False)))
