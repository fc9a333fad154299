"""DeepFool, a fast minimal attack in L2 or Linf (Moosavi-Dezfooli et al. 2016, arxiv.org/abs/1511.04599)."""

from typing import Annotated

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.objectives import Score, margin, most_probable_others
from models.options import Option
from models.query import Task

BEYOND = 1e-4
"""Logits beyond the decision boundary at which a step aims, so that a picture exactly on it moves too."""


def deepfool(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    steps: Annotated[
        int,
        Option(
            "Largest number of steps; the attack ends sooner once it has succeeded. Each step costs one pass of the "
            "network with gradients per candidate class. More steps help where the model is far from linear.",
            least=1,
            most=1000,
        ),
    ] = 50,
    candidates: Annotated[
        int,
        Option(
            "Number of most probable other classes to whose decision boundaries the distance is estimated in each "
            "step; ignored with a target class. More classes may find a nearer boundary, and take proportionally "
            "more time.",
            least=1,
            most=1000,
        ),
    ] = 10,
    overshoot: Annotated[
        float,
        Option(
            "How far each step goes beyond the estimated decision boundary, as a fraction of the distance to it (0.02 "
            "is 2 %). Larger values succeed in fewer steps with a larger perturbation.",
            least=0.0,
            most=1.0,
        ),
    ] = 0.02,
) -> Task[None]:
    """Steps to the nearest decision boundary of the model taken as linear, and beyond it by the share `overshoot`.

    Untargeted, the distances to the boundaries with the `candidates` are measured: the most probable classes after the
    label at the start. Targeted, there is one boundary: between the target and the strongest other class. A row that
    has won moves no further. Costs one pass with gradients per candidate and step (one per step if targeted), and one
    more to notice that all rows have won (without gradients after the last step).
    """
    scores = [margin] if goal.targeted else _margins_over_candidates(best.logits, goal.labels, candidates)
    pictures = start
    for step in range(steps):
        distances, nearest = torch.full_like(best.loss, torch.inf), torch.zeros_like(start)
        for number, score in enumerate(scores):
            if best.won.all():
                return
            objective = goal.objective(score)
            logits, losses, gradients = yield from goal.ask(pictures, objective)
            look = goal.judge(pictures, logits, gradients, losses=losses)
            if number == 0:
                # Losses towards different classes cannot be compared; the log-odds can.
                best.update(goal.judge(pictures, logits))
            distance = _distance(look.loss + goal.confidence, look.gradients, norm)
            nearer = distance < distances
            nearest = look.gradients if nearer.all() else torch.where(rows(nearer), look.gradients, nearest)
            distances = distances.minimum(distance)
        if best.won.all():
            return
        length = (1 + overshoot) * torch.where(best.won, 0.0, distances.nan_to_num(posinf=0.0))
        pictures = _unit(nearest, norm).mul_(-rows(length)).add_(pictures).clamp_(0, 1)
        yield best.progress(step + 1, steps)
    best.update((yield from goal.look(pictures, gradients=False)))


def _margins_over_candidates(logits: Tensor, labels: Tensor, candidates: int) -> list[Score]:
    """For each candidate the score: the label's logit minus the candidate's."""
    return [_margin_over(other) for other in most_probable_others(logits, labels, candidates)]


def _margin_over(candidate: Tensor) -> Score:
    def score(logits: Tensor, labels: Tensor) -> Tensor:
        both = logits.gather(1, torch.stack([labels, candidate], dim=1))
        return both[:, 0] - both[:, 1]

    return score


def _distance(loss: Tensor, gradients: Pictures, norm: Norm) -> PerRow:
    """The distance to where a linear loss is 0: |loss| divided by the gradient's dual norm; infinite without one."""
    return (loss.abs() + BEYOND) / size(gradients, "l1" if norm == "linf" else "l2")


def _unit(gradients: Pictures, norm: Norm) -> Pictures:
    return gradients.sign() if norm == "linf" else gradients / rows(size(gradients, "l2").clamp(min=1e-30))
