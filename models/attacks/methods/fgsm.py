"""The fast gradient sign method, FGSM (Goodfellow et al. 2015, arxiv.org/abs/1412.6572)."""

from models.attacks.geometry import Pictures, project_linf
from models.attacks.goal import Best, Goal
from models.attacks.shared_options import Epsilon
from models.query import Task


def fgsm(start: Pictures, goal: Goal, best: Best, *, epsilon: Epsilon = 8 / 255) -> Task[None]:
    """One step along the sign of the gradient: each value with a gradient moves by epsilon, the whole Linf budget.

    `best` holds the start's look and receives the result. Costs one pass with gradients and one without.
    """
    look = yield from goal.look(start)
    picture = project_linf(start - epsilon * look.gradients.sign(), start, epsilon)
    best.update((yield from goal.look(picture, gradients=False)))
    yield best.progress(1, 1)
