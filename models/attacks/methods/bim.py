"""The basic iterative method (Kurakin et al. 2017, arxiv.org/abs/1607.02533)."""

from models.attacks.geometry import Pictures
from models.attacks.goal import Best, Goal
from models.attacks.methods.pgd import pgd
from models.query import Task


def bim(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    epsilon: float = 8 / 255,
    steps: int = 10,
    step_size: float | None = None,
) -> Task[None]:
    """From the picture itself, `steps` steps of the gradient's sign, epsilon / steps each without `step_size`; Linf.

    `best` holds the start's look and receives every better one. Costs `steps` passes with gradients and one without.
    """
    length = epsilon / steps if step_size is None else step_size
    yield from pgd(start, goal, best, epsilon=epsilon, steps=steps, step_size=length, random_start=False)
