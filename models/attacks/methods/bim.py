"""The basic iterative method, BIM (Kurakin et al. 2017, arxiv.org/abs/1607.02533)."""

from dataclasses import replace
from typing import Annotated

from models.attacks.geometry import Pictures
from models.attacks.goal import Best, Goal
from models.attacks.methods.pgd import pgd
from models.attacks.shared_options import STEP_SIZE, Epsilon, Steps, Stop
from models.query import Task


def bim(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    epsilon: Epsilon = 8 / 255,
    steps: Steps = 10,
    step_size: Annotated[float | None, replace(STEP_SIZE, default_text="epsilon / steps")] = None,
    stop: Stop = "strongest",
) -> Task[None]:
    """FGSM in small steps within a Linf budget: PGD from the picture itself, in steps of epsilon / steps by default.

    `best` holds the start's look and receives every look. Costs `steps` passes with gradients and one without.
    """
    length = epsilon / steps if step_size is None else step_size
    yield from pgd(start, goal, best, epsilon=epsilon, steps=steps, step_size=length, random_start=False, stop=stop)
