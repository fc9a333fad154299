"""Carlini and Wagner's minimal L2 attack (Carlini & Wagner 2017, arxiv.org/abs/1608.04644)."""

import math
from typing import Annotated

import torch
from torch import Tensor

from models.attacks.geometry import PerRow, Pictures, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.adam import Adam
from models.attacks.objectives import margin
from models.options import Option
from models.query import Task

INSIDE = 1e-2
"""Share by which pixel values are moved away from black and white, where Adam could hardly move them in tanh space.

With the authors' 1e-6 no picture of black and white alone was fooled within 100 steps; with this one all were.
"""
CHECKS = 5
"""Checks per search whether a row's loss still falls (the authors' abort_early); Adam's first steps have none."""
SHORTEST, LONGEST = 1e-5, 1e-2
"""Bounds of the default step size; the longest is the authors' own step size."""
LEAST_CONSTANT, MOST_CONSTANT = 1e-8, 1e8
"""Bounds of the first constant."""
INITIAL_FACTOR = 4.0
"""The default first constant, as a multiple of the one with which a linear network is fooled (docs/decisions/0038)."""
STILL_FALLING = 0.9999
"""A row's loss still falls if it is at most this share of its loss at the last check."""


def carlini_wagner(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: Annotated[
        int,
        Option(
            "Largest number of steps of each search; each costs one pass of the network with gradients. More steps "
            "make the perturbation smaller, and take up to proportionally more time.",
            least=1,
            most=1000,
        ),
    ] = 100,
    searches: Annotated[
        int,
        Option(
            "Number of searches for the best weight of the classification loss beside the size of the perturbation: "
            "the weight grows tenfold until a search succeeds, and is then bisected. More searches make the "
            "perturbation smaller, and take up to proportionally more time.",
            least=1,
            most=20,
        ),
    ] = 3,
    step_size: Annotated[
        float | None,
        Option(
            "Learning rate of Adam on the variable w, where the pixel values are (1 + tanh w) / 2. Larger values move "
            "faster and settle less exactly.",
            least=1e-6,
            most=1e6,
            default_text="as long as leads to the decision boundary in about two steps; at most 0.01",
        ),
    ] = None,
    initial_constant: Annotated[
        float | None,
        Option(
            "Weight of the classification loss beside the squared L2 norm of the perturbation in the first search, for "
            "a picture of the model's own size. Larger values succeed in an earlier search; too large a value leaves a "
            "larger perturbation.",
            least=LEAST_CONSTANT,
            most=MOST_CONSTANT,
            default_text="for each picture, four times the weight with which the network, if it were linear, is fooled",
        ),
    ] = None,
) -> Task[None]:
    """Minimise the squared L2 norm plus a constant times the margin that is missing, by Adam in tanh space.

    Each search has one constant per row: ten times the last until a search has won, then bisected. An
    `initial_constant` is multiplied by `goal.scale` squared, as the squared L2 norm grows with it. A row whose loss no
    longer falls rests until the next search, which begins after `steps` or when all rows rest. `best` receives every
    look. Costs one pass with gradients, and at most `steps` more in each of the `searches`.
    """
    first = yield from goal.look(start, score=margin)
    best.update(first)
    step_sizes = _step_sizes(first, goal) if step_size is None else torch.full_like(first.loss, step_size)
    if initial_constant is None:
        constant = _initial_constants(first, goal)
    else:
        constant = torch.full_like(first.loss, initial_constant * goal.scale**2)
    lower, upper = torch.zeros_like(constant), torch.full_like(constant, torch.inf)
    check_every = max(1, steps // CHECKS)
    space = _TanhSpace(start)
    for search in range(searches):
        look, won, resting = first, first.won, _RestingRows(constant)
        space.reset()
        for step in range(steps):
            if step and step % check_every == 0:
                resting.check(_loss(look, space.change, constant, goal))
                if resting.rows.all():
                    break
            space.descend(look.gradients * rows(constant / 2 * ~look.won), step_sizes, resting.rows)
            look = yield from goal.look((start + goal.masked(space.change)).clamp_(0, 1), score=margin)
            best.update(look)
            won = won | look.won
            yield best.progress(search * steps + step + 1, searches * steps)
        upper = torch.where(won, upper.minimum(constant), upper)
        lower = torch.where(won, lower, lower.maximum(constant))
        constant = torch.where(upper.isfinite(), (lower + upper) / 2, constant * 10)


def _step_sizes(first: Look, goal: Goal) -> PerRow:
    """The L2 distance to the decision boundary of the model taken as linear, per value.

    Adam moves each w by about the step size, and a grey value by half as much.
    """
    distance = (first.loss + goal.confidence).abs() / size(first.gradients, "l2").clamp(min=1e-30)
    return (distance / math.sqrt(first.pictures[0].numel())).clamp(SHORTEST, LONGEST)


def _initial_constants(first: Look, goal: Goal) -> PerRow:
    """INITIAL_FACTOR times the constant c with which the model taken as linear reaches the decision boundary.

    The sum |d|^2 + c x (margin - g d) is smallest at d = c g / 2, which is at the boundary if c is 2 x margin / |g|^2.
    """
    steepness = size(first.gradients, "l2").square().clamp(min=1e-30)
    missing = (first.loss + goal.confidence).abs()
    return (INITIAL_FACTOR * 2 * missing / steepness).clamp(LEAST_CONSTANT, MOST_CONSTANT)


def _loss(look: Look, change: Tensor, constant: PerRow, goal: Goal) -> PerRow:
    return size(change, "l2").square() + constant * (look.loss + goal.confidence).clamp(min=0)


class _RestingRows:
    """The rows whose loss did not fall from one check to the next; they rest until the end of the search."""

    def __init__(self, loss: PerRow) -> None:
        self.rows = torch.zeros_like(loss, dtype=torch.bool)
        self.previous = torch.full_like(loss, torch.inf)

    def check(self, loss: PerRow) -> None:
        self.rows = self.rows | (loss > STILL_FALLING * self.previous)
        self.previous = loss


class _TanhSpace:
    """The variable w without bounds, where pictures are (1 + tanh w) / 2, the logistic function of 2 w."""

    def __init__(self, start: Pictures) -> None:
        self.origin = (start * (1 - INSIDE) + INSIDE / 2).logit_()
        # The start after both conversions: changes are counted from it, so that no change is exactly 0.
        self.base = self.origin.sigmoid()
        self.reset()

    def reset(self) -> None:
        self.place, self.adam = self.origin.clone(), Adam(self.origin)
        self.pictures, self.change = self.base.clone(), torch.zeros_like(self.base)

    def descend(self, gradients: Pictures, step_sizes: PerRow, resting: Tensor) -> None:
        """One step down half the squared L2 norm plus the loss with these gradients; rows that rest do not move.

        Overwrites `gradients`.
        """
        # d/dw is 2 x (1 - x) d/dx; constant factors make no difference to Adam.
        gradients.add_(self.change).mul_(torch.addcmul(self.pictures, self.pictures, self.pictures, value=-1))
        before = self.place.clone() if resting.any() else None
        self.adam.descend(self.place, gradients, 2 * rows(step_sizes))
        if before is not None:
            self.place = torch.where(rows(resting), before, self.place)
        torch.sigmoid(self.place, out=self.pictures)
        torch.sub(self.pictures, self.base, out=self.change)
