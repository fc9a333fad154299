"""DeepFool, a fast minimal attack by linear steps to the nearest border (Moosavi-Dezfooli et al. 2016, 1511.04599)."""

import torch
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.objectives import Score, margin
from models.query import Task

BEYOND = 1e-4
"""Logits past the border that a step aims for, so that one which starts upon it goes somewhere."""


def deepfool(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    steps: int = 50,
    candidates: int = 10,
    overshoot: float = 0.02,
) -> Task[None]:
    """Take the model for linear, step onto the border nearest in the norm and beyond it by the share `overshoot`.

    Untargeted, the border to each of the `candidates` is measured: the likeliest classes after the label at the start.
    Targeted there is one, between the target and the strongest other class. A row that has won stays where it is.
    Costs one pass with gradients per candidate and step (one per step if targeted), and one more with which a batch
    that has won is seen to have (without gradients after the last step).
    """
    scores = [margin] if goal.targeted else _against(best.logits, goal.labels, candidates)
    pictures = start
    for step in range(steps):
        distances, nearest = torch.full_like(best.loss, torch.inf), torch.zeros_like(start)
        for number, score in enumerate(scores):
            if best.won.all():
                return
            objective = goal.toward(score)
            logits, losses, slope = yield from goal.ask(pictures, objective)
            look = goal.judge(pictures, logits, slope, losses=losses)
            if number == 0:
                # Losses towards different classes do not compare; those of the odds do.
                best.update(goal.judge(pictures, logits))
            distance = _distance(look.loss + goal.confidence, look.slope, norm)
            nearer = distance < distances
            nearest = look.slope if nearer.all() else torch.where(rows(nearer), look.slope, nearest)
            distances = distances.minimum(distance)
        if best.won.all():
            return
        length = (1 + overshoot) * torch.where(best.won, 0.0, distances.nan_to_num(posinf=0.0))
        pictures = _unit(nearest, norm).mul_(-rows(length)).add_(pictures).clamp_(0, 1)
        yield best.progress(step + 1, steps)
    best.update((yield from goal.look(pictures, gradients=False)))


def _against(logits: Tensor, labels: Tensor, candidates: int) -> list[Score]:
    """The label's logit less each candidate's."""
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    likeliest = others.topk(min(candidates, logits.shape[1] - 1), dim=1).indices
    return [_less(each) for each in likeliest.unbind(dim=1)]


def _less(candidate: Tensor) -> Score:
    def score(logits: Tensor, labels: Tensor) -> Tensor:
        both = logits.gather(1, torch.stack([labels, candidate], dim=1))
        return both[:, 0] - both[:, 1]

    return score


def _distance(loss: Tensor, slope: Pictures, norm: Norm) -> PerRow:
    """To where a linear loss is 0: its size over the gradient's dual norm; infinite where there is no gradient."""
    steepness = size(slope, "l1" if norm == "linf" else "l2")
    return (loss.abs() + BEYOND) / steepness


def _unit(slope: Pictures, norm: Norm) -> Pictures:
    return slope.sign() if norm == "linf" else slope / rows(size(slope, "l2").clamp(min=1e-30))
