"""Adversarial training: attacks on the training pictures of each step (Madry et al. 2018, arxiv.org/abs/1706.06083)."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.attacks.geometry import project_linf
from models.attacks.goal import Goal
from models.attacks.methods.steepest import steepest
from models.query import Answer, Query, Task
from models.run import run

Logits = Callable[[Tensor], Tensor]


def attacked(
    logits: Logits,
    pixels: Float[Tensor, "n 3 s s"],
    labels: Int64[Tensor, " n"],
    *,
    epsilon: float,
    steps: int,
    random: torch.Generator,
) -> Float[Tensor, "n 3 s s"]:
    """The pictures, each value changed by at most `epsilon`, so that the network misclassifies them."""
    goal = Goal(labels, targeted=False, preprocess=lambda pictures: pictures)
    return run(fast_pgd(pixels, goal, epsilon=epsilon, steps=steps, random=random), _NetworkInTraining(logits))


def fast_pgd(
    start: Float[Tensor, "n 3 s s"], goal: Goal, *, epsilon: float, steps: int, random: torch.Generator
) -> Task[Float[Tensor, "n 3 s s"]]:
    """From a random point of the Linf ball, `steps` steps along the sign of the gradient, each projected back into it.

    One step, of length 1.25 epsilon, is fast FGSM (Wong et al. 2020, arxiv.org/abs/2001.03994); more steps, each of
    2.5 epsilon / steps, are PGD. Unlike an attack on a finished model it returns its last picture, not its best one,
    without verifying it: it costs `steps` passes.
    """
    noise = torch.rand(start.shape, generator=random, device=random.device).to(start.device)
    picture = project_linf(start + epsilon * (2 * noise - 1), start, epsilon)
    for _ in range(steps):
        look = yield from goal.look(picture)
        perturbed = picture.sub(steepest(look.gradients, "linf"), alpha=2.5 * epsilon / max(2, steps))
        picture = project_linf(perturbed, start, epsilon)
    return picture


class _NetworkInTraining:
    """Answers the queries of an attack by the network as it is now."""

    def __init__(self, logits: Logits) -> None:
        self.logits = logits

    def answer(self, queries: Sequence[Query]) -> list[Answer]:
        """Logits and gradients of the single query; the gradients of the weights are left unchanged."""
        (query,) = queries
        assert query.objective is not None
        with torch.enable_grad():
            pixels = query.pixels.detach().requires_grad_()
            logits = self.logits(pixels)
            losses = query.objective(logits)
            (gradients,) = torch.autograd.grad(losses.sum(), pixels)
        return [Answer(logits.detach(), losses.detach(), gradients)]
