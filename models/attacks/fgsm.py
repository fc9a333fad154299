"""The fast gradient sign method (Goodfellow et al. 2015, arxiv.org/abs/1412.6572)."""

from jaxtyping import Float
from torch import Tensor

from models.attacks.geometry import project_linf
from models.attacks.goal import Best, Goal
from models.query import Task


def fgsm(start: Float[Tensor, "n 3 h w"], goal: Goal, best: Best, *, epsilon: float = 8 / 255) -> Task[None]:
    """One step of epsilon along the sign of the gradient: every pixel that has one moves all the way.

    `best` holds the start's look and receives the result. Costs one pass with gradients and one without.
    """
    look = yield from goal.look(start)
    assert look.gradients is not None
    picture = project_linf(start - epsilon * look.gradients.sign(), start, epsilon)
    best.update((yield from goal.look(picture, gradients=False)))
    yield best.progress(1, 1)
