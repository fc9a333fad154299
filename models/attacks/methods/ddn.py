"""Decoupled direction and norm (DDN), a minimal L2 attack (Rony et al. 2019, arxiv.org/abs/1811.09600)."""

import math
from collections.abc import Sequence
from typing import Annotated

import torch

from models.attacks.geometry import PerRow, Pictures, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.steepest import steepest
from models.attacks.shared_options import Gamma, Steps
from models.options import Option
from models.query import Task

REFINING = 0.5
"""The first step of `refine`, as a share of the change that is refined."""
COARSE, FINE = 0.3, 0.01
"""In `refine` and `fading_ddn`, the share by which the length changes at the first step and, geometrically, at the end:
the first length may be several times too long."""
NEAR, MARGIN, NEAREST = 1 / 6, 2.0, 1e-3
"""Where the decision boundary of the model taken as linear is nearer than NEAR of the usual first length, `fading_ddn`
begins with MARGIN times that distance: few steps could not shorten the change so far. It takes no distance for shorter
than NEAREST of the usual length, since a change of length 0 would never become longer."""
LEFT = 0.01
"""`refine` and `fading_ddn` end where the change could become shorter by less than this share of its length."""


def ddn(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    steps: Steps = 100,
    gamma: Gamma = 0.05,
    initial: Annotated[
        float,
        Option(
            "L2 norm of the perturbation after the first step, with pixel values from 0 to 1, for a picture of the "
            "model's own size (more for a larger picture, in proportion to its sides). The nearer it is to the "
            "smallest perturbation, the fewer steps are needed.",
            least=1e-3,
            most=1e3,
        ),
    ] = 1.0,
) -> Task[None]:
    """Steps along the gradient, after each of which the change is given a length that follows the goal.

    The length shrinks by `gamma` while the goal is reached, and grows by it while not. The step size falls from 1 to
    0.01 along a cosine, in units of L2 at the model's own resolution; like `initial` it is multiplied by `goal.scale`.
    `best` receives every look. Costs `steps` passes with gradients.
    """
    unit = torch.full_like(best.loss, goal.scale)
    yield from _follow(start, goal, best, torch.zeros_like(start), initial * unit, unit, [gamma] * steps, left=None)


def fading_ddn(start: Pictures, goal: Goal, best: Best, *, steps: int, fine: float = FINE) -> Task[None]:
    """`ddn` for few steps: the share by which the length changes falls from COARSE to `fine`.

    Costs `steps` passes with gradients, fewer if what is left to gain is under LEFT in all rows.
    """
    unit = torch.full_like(best.loss, goal.scale)
    shares = _falling(steps, fine)
    yield from _follow(start, goal, best, torch.zeros_like(start), unit, unit, shares, left=LEFT, fits_near=True)


def refine(start: Pictures, goal: Goal, best: Best, *, steps: int) -> Task[None]:
    """DDN from each row's best picture, whose steps are in units of that change: for a change that is nearly smallest.

    The share by which the length changes falls from COARSE to FINE. A row whose best is the start begins as in `ddn`.
    Costs `steps` passes with gradients, fewer if what is left to gain is under LEFT in all rows.
    """
    change = best.pictures - start
    length = size(change, "l2")
    moved = length > 0
    length = torch.where(moved, length, goal.scale)
    unit = torch.where(moved, REFINING * length, goal.scale)
    yield from _follow(start, goal, best, change, length, unit, _falling(steps, FINE), left=LEFT)


def _falling(steps: int, fine: float) -> list[float]:
    return [COARSE * (fine / COARSE) ** (step / steps) for step in range(steps)]


def _follow(
    start: Pictures,
    goal: Goal,
    best: Best,
    change: Pictures,
    length: PerRow,
    unit: PerRow,
    shares: Sequence[float],
    *,
    left: float | None,
    fits_near: bool = False,
) -> Task[None]:
    """One step per share, from this change, whose length is to be `length`; the first step is `unit` long.

    Ends once every row has had a winning change of which less than the share `left` could be gained; None never ends.
    With `fits_near` the length and the unit become shorter where the first look says that the boundary is near (NEAR).
    """
    longest = size(torch.maximum(start, 1 - start), "l2")
    length, steps, settled = length.minimum(longest), len(shares), torch.zeros_like(best.won)
    for step, share in enumerate(shares):
        look = yield from goal.look(start + change)
        best.update(look)
        if left is not None:
            settled |= look.won & (_nearest(change, look, goal) >= (1 - left) * size(change, "l2"))
            if settled.all():
                yield best.progress(steps, steps)
                return
        if fits_near and not step:
            reach = (look.lead - goal.confidence).abs() / size(look.gradients, "l2").clamp(min=1e-30)
            is_near = reach < NEAR * unit
            reach = reach.maximum(NEAREST * unit)
            length, unit = (torch.where(is_near, MARGIN * reach, usual) for usual in (length, unit))
        step_size = (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2) * unit
        change = change.addcmul(steepest(look.gradients, "l2"), rows(step_size), value=-1)
        length = torch.where(look.won, (1 - share) * length, (1 + share) * length).minimum(longest)
        change *= rows(length / size(change, "l2").clamp(min=1e-12))
        change = change.add_(start).clamp_(0, 1).sub_(start)
        yield best.progress(step + 1, steps)


def _nearest(change: Pictures, look: Look, goal: Goal) -> PerRow:
    """How far the start is from the decision boundary of the model taken as linear at the changed picture."""
    downhill = -(change * look.gradients).sum(dim=(1, 2, 3))
    return (downhill - look.lead + goal.confidence) / size(look.gradients, "l2").clamp(min=1e-30)
