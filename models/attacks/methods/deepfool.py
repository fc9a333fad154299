"""DeepFool, a fast minimal attack in L2 or Linf (Moosavi-Dezfooli et al. 2016, arxiv.org/abs/1511.04599)."""

from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.attacks.geometry import Norm, PerRow, Pictures, most_rows, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.objectives import Score, margin, most_probable_others
from models.options import Option
from models.query import Task

SLACK = 1.5
"""By how much steeper than when it was measured last a boundary's gradient may have become without being noticed."""
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
            "Largest number of steps; the attack ends sooner once it has succeeded. The first step costs one pass of "
            "the network with gradients per candidate class, a later one mostly one. More steps help where the model "
            "is far from linear.",
            least=1,
            most=1000,
        ),
    ] = 50,
    candidates: Annotated[
        int,
        Option(
            "Number of most probable other classes to whose decision boundaries the distance is estimated; ignored "
            "with a target class. More classes may find a nearer boundary, and make the first step longer.",
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
    label at the start. The first step measures all; a later one those that may be the nearest, if no gradient has
    become SLACK times as steep. Targeted, there is one boundary: between the target and the strongest other class. A
    row that has won moves no further. Costs one pass with gradients per measured distance, and one more to notice that
    all rows have won (without gradients after the last step).
    """
    borders = _Borders(goal, best, norm, 1 if goal.targeted else candidates)
    pictures = start
    for step in range(steps):
        yield from borders.measure(pictures)
        if best.won.all():
            return
        distance, gradients = borders.nearest()
        length = (1 + overshoot) * torch.where(best.won, 0.0, distance.nan_to_num(posinf=0.0))
        pictures = _unit(gradients, norm).mul_(-rows(length)).add_(pictures).clamp_(0, 1)
        yield best.progress(step + 1, steps)
    best.update((yield from goal.look(pictures, gradients=False)))


class _Borders:
    """The distances of each row's picture to its decision boundaries, and the gradients towards them.

    Those that were not measured at the present pictures are infinite.
    """

    def __init__(self, goal: Goal, best: Best, norm: Norm, candidates: int) -> None:
        self.goal, self.best, self.norm = goal, best, norm
        self.classes = torch.stack(most_probable_others(best.logits, goal.labels, candidates), dim=1)
        self.distances = torch.zeros_like(self.classes, dtype=best.loss.dtype)
        self.steepness = torch.full_like(self.distances, torch.inf)
        self.gradients: dict[tuple[int, int], Pictures] = {}

    def nearest(self) -> tuple[PerRow, Pictures]:
        """The distance of each row to its nearest boundary, and the gradient there."""
        distances, columns = self.distances.min(dim=1)
        return distances, torch.cat([self.gradients[pair] for pair in enumerate(columns.tolist())])

    def measure(self, pictures: Pictures) -> Task[None]:
        """Measure the boundaries that may be nearest, first those that were nearest before; update the best."""
        if self.best.won.all():
            return
        nearest_before = torch.nn.functional.one_hot(self.distances.argmin(dim=1), self.classes.shape[1]).bool()
        # Before the first step no steepness is known, so any boundary may be the nearest.
        first = nearest_before if self.gradients else torch.ones_like(nearest_before)
        self.gradients, self.distances = {}, torch.full_like(self.distances, torch.inf)
        logits = yield from self._ask(pictures, first)
        self.best.update(self.goal.judge(pictures, logits))
        if self.best.won.all():
            return
        lead = logits.mean(dim=0)
        margins = lead.gather(1, self.goal.labels.unsqueeze(1)) - lead.gather(1, self.classes)
        least = (margins + self.goal.confidence).abs() / (SLACK * self.steepness)
        near = least < self.distances.amin(dim=1, keepdim=True)
        others = near & ~first & ~self.best.won.unsqueeze(1)
        if others.any():
            yield from self._ask(pictures, others)

    def _ask(self, pictures: Pictures, chosen: Bool[Tensor, "n k"]) -> Task[Float[Tensor, "v n c"]]:
        """Measure the chosen boundaries; returns the logits in each view, of every row that has a chosen one."""
        logits_of_row: dict[int, Tensor] = {}
        for pairs in chosen.nonzero().split(min(self.goal.rows, most_rows(pictures))):
            row, column = pairs.unbind(dim=1)
            goal = replace(self.goal, labels=self.goal.labels[row])
            score = margin if goal.targeted else _margin_over(self.classes[row, column])
            logits, losses, gradients = yield from goal.ask(pictures[row], goal.objective(score))
            assert losses is not None and gradients is not None, "the query has an objective"
            steepness = size(gradients, "l1" if self.norm == "linf" else "l2")
            self.steepness[row, column] = steepness
            self.distances[row, column] = ((losses + goal.confidence).abs() + BEYOND) / steepness
            for number, pair in enumerate(pairs.tolist()):
                self.gradients[pair[0], pair[1]] = gradients[number : number + 1]
                logits_of_row[pair[0]] = logits[:, number]
        return torch.stack([logits_of_row[row] for row in sorted(logits_of_row)], dim=1)


def _margin_over(candidate: Tensor) -> Score:
    def score(logits: Tensor, labels: Tensor) -> Tensor:
        both = logits.gather(1, torch.stack([labels, candidate], dim=1))
        return both[:, 0] - both[:, 1]

    return score


def _unit(gradients: Pictures, norm: Norm) -> Pictures:
    return gradients.sign() if norm == "linf" else gradients / rows(size(gradients, "l2").clamp(min=1e-30))
