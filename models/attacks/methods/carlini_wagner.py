"""Carlini and Wagner's L2 attack, with a search for how much the goal weighs (Carlini & Wagner 2017, 1608.04644)."""

import torch
from torch import Tensor

from models.attacks.geometry import PerRow, Pictures, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.adam import Adam
from models.attacks.objectives import margin
from models.query import Task

INSIDE = 1e-2
"""Of the range, half at each end, so that black and white have a place in tanh space from which Adam gets away.

The authors' 1e-6 pins them: no picture of black and white alone was fooled within 100 steps, with this one all were.
"""
CHECKS = 5
"""In how many parts of a search a row's loss must fall, the first aside: Adam's first steps are too long for photos."""
FALLS = 0.9999


def carlini_wagner(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: int = 100,
    searches: int = 9,
    step_size: float = 0.01,
    initial_constant: float = 1e-3,
) -> Task[None]:
    """Minimise L2 squared plus a constant times the margin that is missing, by Adam in tanh space.

    Each search has a constant per row: ten times the last until one has won, then bisected. The first is for the
    model's own resolution and grows with the picture's (`goal.scale` squared, as L2 squared does). `step_size` is
    Adam's, in tanh space. A row whose loss no longer falls rests until the next search, which begins when all rest or
    after `steps`. Costs one pass with gradients, and at most `steps` more in each of the `searches`.
    """
    first = yield from goal.look(start, score=margin)
    best.update(first)
    constant = torch.full_like(first.loss, initial_constant * goal.scale**2)
    lower, upper = torch.zeros_like(constant), torch.full_like(constant, torch.inf)
    space = _TanhSpace(start)
    for search in range(searches):
        look, found, rests = first, first.won, _Rests(constant)
        space.reset()
        for step in range(steps):
            if (
                step
                and step % max(1, steps // CHECKS) == 0
                and rests.look(_loss(look, space.change, constant, goal)).all()
            ):
                break
            space.descend(look.slope * rows(constant / 2 * ~look.won), step_size, rests.resting)
            look = yield from goal.look((start + goal.masked(space.change)).clamp_(0, 1), score=margin)
            best.update(look)
            found = found | look.won
            yield best.progress(search * steps + step + 1, searches * steps)
        upper = torch.where(found, upper.minimum(constant), upper)
        lower = torch.where(found, lower, lower.maximum(constant))
        constant = torch.where(upper.isfinite(), (lower + upper) / 2, constant * 10)


def _loss(look: Look, change: Tensor, constant: PerRow, goal: Goal) -> PerRow:
    return size(change, "l2").square() + constant * (look.loss + goal.confidence).clamp(min=0)


class _Rests:
    """Which rows' losses have ceased to fall from one check to the next; none goes on again."""

    def __init__(self, rows: PerRow) -> None:
        self.resting = torch.zeros_like(rows, dtype=torch.bool)
        self.previous = torch.full_like(rows, torch.inf)

    def look(self, loss: PerRow) -> Tensor:
        self.resting = self.resting | (loss > FALLS * self.previous)
        self.previous = loss
        return self.resting


class _TanhSpace:
    """Where pictures have no bounds: x = (1 + tanh w) / 2, which is the logistic function of 2 w."""

    def __init__(self, start: Pictures) -> None:
        self.origin = (start * (1 - INSIDE) + INSIDE / 2).logit_()
        # What the way there and back makes of the start: a change is counted from it, so that none is exactly none.
        self.base = self.origin.sigmoid()
        self.reset()

    def reset(self) -> None:
        self.place, self.adam = self.origin.clone(), Adam(self.origin)
        self.pictures, self.change = self.base.clone(), torch.zeros_like(self.base)

    def descend(self, slope: Pictures, step_size: float, resting: Tensor) -> None:
        """One step down half of L2 squared plus what has the slope, in the rows that do not rest."""
        # d/dw is 2 x (1 - x) d/dx; constant factors are nothing to Adam.
        slope.add_(self.change).mul_(torch.addcmul(self.pictures, self.pictures, self.pictures, value=-1))
        before = self.place.clone() if resting.any() else None
        self.adam.descend(self.place, slope, 2 * step_size)
        if before is not None:
            self.place = torch.where(rows(resting), before, self.place)
        torch.sigmoid(self.place, out=self.pictures)
        torch.sub(self.pictures, self.base, out=self.change)
