"""From a picture in float to the smallest change that an 8-bit file holds and the model, asked again, is fooled by.

Rounding alone loses most minimal attacks (Bonnet et al. 2020, arxiv.org/abs/2007.10032): on a photo they move values by
less than half a level. So several ways to round are tried, the strength of each is bisected through the model, and the
smallest result that was verified is kept.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.attacks.geometry import LEVEL, Measure, Norm, Pictures, by, rows, size, to_lattice
from models.attacks.goal import Best
from models.attacks.objectives import margin
from models.query import Task

Rounding = Callable[[float], Pictures]
"""From a strength above 0 to a picture on the lattice, further from the start the stronger."""

MOST = 2.0**20
"""The largest strength that is tried, of float attacks' own 1."""
PRECISION = 0.01
STRIDE = 1 / 16
"""Of a doubling: 4 %."""
HURRIED_LOOKS = 12
"""Fewer than a task may still ask when its time is up (models.query.GRACE)."""
SLACK = 1e-5
"""Of a budget, for sums of float32."""
RELINEARISED = 4
"""Most of what new gradients at the rounded picture bring, some 5 % of L2 on photos, is there after four."""


def settle(best: Best, kept: Best, *, norm: Norm, epsilon: float | None = None, black_box: bool = False) -> Task[None]:
    """Find the smallest change that wins as a file holds it; within a budget `epsilon`, one that is no larger.

    `best` is a float attack's, of one row. `kept` begins as the start's look, has the goal that looks at what becomes
    of the file, and receives every better result: all that it holds is verified. Within a budget a `black_box` search
    asks for no gradients.
    """
    if epsilon is not None:
        yield from _within(best, kept, norm, epsilon, black_box=black_box)
    elif best.won:
        yield from _smallest(best, kept, norm)
    else:
        yield from at_once(best, kept, norm=norm, epsilon=None)


def at_once(best: Best, kept: Best, *, norm: Norm, epsilon: float | None) -> Task[None]:
    """The float attack's change, rounded, as weak as a few looks find that it wins, or within the budget."""
    rounding = scaled(kept.start, best.pictures - kept.start)
    if epsilon is not None:
        strength = 1.0 if _fits(rounding(1.0), kept, norm, epsilon) else _most(rounding, kept, norm, epsilon)
        yield from _wins(rounding(strength), kept)
        return
    if not best.won:
        yield from _wins(rounding(1.0), kept)
        return
    low, high = 0.5, 1.0
    for _ in range(HURRIED_LOOKS):
        if kept.won:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if (yield from _wins(rounding(middle), kept)) else (middle, high)
        elif not (yield from _wins(rounding(high), kept)):
            low, high = high, high * 2


def _smallest(best: Best, kept: Best, norm: Norm) -> Task[None]:
    """Bisect the strength of each rounding that suits the norm."""
    look = yield from kept.goal.look(best.pictures, score=margin)
    for rounding in _roundings(best, look.slope, norm):
        yield from _weakest(rounding, kept)
    if norm == "l2" and kept.won:
        yield from _relinearise(look.slope, kept)


def _within(best: Best, kept: Best, norm: Norm, epsilon: float, *, black_box: bool) -> Task[None]:
    """The float attack's picture rounded; where that does not win, of each rounding the strongest within the budget."""
    yield from at_once(best, kept, norm=norm, epsilon=epsilon)
    if kept.won or not best.won or math.isinf(epsilon):  # without a budget there is no stronger one within it
        return
    plain = scaled(kept.start, best.pictures - kept.start)
    others = []
    if not black_box:
        look = yield from kept.goal.look(best.pictures)
        others = _roundings(best, look.slope, norm)[1:]
    for rounding in (
        [plain, *others] if _fits(plain(1.0), kept, norm, epsilon) else others
    ):  # else it was asked just now
        strength = _most(rounding, kept, norm, epsilon)
        if strength and (yield from _wins(rounding(strength), kept)):
            return


def _fits(picture: Pictures, kept: Best, norm: Norm, epsilon: float) -> bool:
    return bool(size(picture - kept.start, norm) <= epsilon * (1 + SLACK))


def _most(rounding: Rounding, kept: Best, norm: Norm, epsilon: float) -> float:
    return strongest(rounding, kept.start, by(norm), epsilon * (1 + SLACK))


def _weakest(rounding: Rounding, kept: Best) -> Task[None]:
    """Bisect for the weakest strength that wins; once something is kept, only what is smaller is worth a look."""
    low, high, step = 0.5, 1.0, 1.0
    if not kept.won:
        while not (yield from _wins(rounding(high), kept)):
            low, high = high, high * 2
            if high > MOST:
                return
    else:
        high = strongest(rounding, kept.start, _measure(kept), kept.size.item())
        if high == 0.0 or not (yield from _wins(rounding(high), kept)):
            return
        # What beats the kept one mostly does so by little: down in strides that double.
        step = STRIDE
        while (yield from _wins(rounding(high * 2**-step), kept)):
            high, step = high * 2**-step, step * 2
            if high < 1 / MOST:
                return
        low = high * 2**-step
    while high > (1 + PRECISION) * low:
        middle = (low * high) ** 0.5
        if (yield from _wins(rounding(middle), kept)):
            high = middle
        else:
            low = middle


def _wins(picture: Pictures, kept: Best) -> Task[bool]:
    look = yield from kept.goal.look(picture, gradients=False)
    kept.update(look)
    return bool(look.won)


def _relinearise(slope: Tensor, kept: Best) -> Task[None]:
    """New directions, each with a share of the gradient at the rounded picture, which is not where the float one is."""
    direction = _unit(slope)
    for _ in range(RELINEARISED):
        look = yield from kept.goal.look(kept.pictures, score=margin)
        direction = _unit(0.7 * direction + 0.3 * _unit(look.slope))
        length = kept.size.item()
        yield from _weakest(scaled(kept.start, -length * direction), kept)


def strongest(rounding: Rounding, start: Pictures, measure: Measure, limit: float) -> float:
    """The largest strength, to 1 %, whose change measures less than the limit; 0 where there is none. Asks nobody."""

    def fits(strength: float) -> bool:
        change = rounding(strength) - start
        return bool(change.any()) and measure(change).item() < limit

    def too_much(strength: float) -> bool:
        return measure(rounding(strength) - start).item() >= limit

    strength, factor = 1.0, 0.5 if too_much(1.0) else 2.0
    while 1 / MOST < strength < MOST and too_much(strength * factor) == (factor < 1):
        strength *= factor
    low, high = sorted((strength, strength * factor))
    while high > (1 + PRECISION) * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if too_much(middle) else (middle, high)
    return low if fits(low) else 0.0


def _measure(kept: Best) -> Measure:
    assert kept.measure is not None, "the smallest is looked for by a measure"
    return kept.measure


def _unit(gradients: Tensor) -> Tensor:
    return gradients / rows(size(gradients, "l2").clamp(min=1e-30))


def _roundings(best: Best, slope: Tensor, norm: Norm) -> list[Rounding]:
    """The ways to round that suit the norm, for a float attack's change and the gradient where it ended."""
    start, change = best.start, best.pictures - best.start
    if norm == "l0":
        return [scaled(start, change), fewest(start, change, slope)]
    if norm == "l1":
        return [scaled(start, change), along(start, change, slope), fewest(start, change, slope)]
    # The float attack is the smallest there is: a file needs the next whole level.
    levels = max(1, math.ceil(change.abs().amax().item() * 255 - 1e-3))
    steepest = -_unit(slope) * rows(size(change, "l2"))
    return [
        scaled(start, change),
        along(start, change, slope),
        scaled(start, steepest),
        *([capped(start, slope, levels)] if norm == "linf" else []),
    ]


def scaled(start: Pictures, change: Tensor) -> Rounding:
    """Scale and round. With the change along the gradient, no lattice point of its length lowers a linear loss more."""
    return lambda strength: to_lattice(torch.add(start, change, alpha=strength))


def along(start: Pictures, change: Tensor, slope: Tensor) -> Rounding:
    """Scale, then up or down to the level that lowers the loss."""

    def rounded(strength: float) -> Tensor:
        levels = (start + strength * change) * 255
        # What float32 puts a hair beside a level belongs to it.
        lowered, raised = (levels + 1e-3).floor(), (levels - 1e-3).ceil()
        return torch.where(slope > 0, lowered, torch.where(slope < 0, raised, levels.round())).clamp(0, 255) / 255

    return rounded


def capped(start: Pictures, slope: Tensor, levels: int) -> Rounding:
    """Along the slope by `levels` at most: at strength 1 the largest value of the slope alone goes so far."""
    cap = levels * LEVEL
    step = -cap / max(slope.abs().amax().item(), 1e-30) * slope
    return lambda strength: to_lattice(start + (strength * step).clamp(-cap, cap))


def fewest(start: Pictures, change: Tensor, slope: Tensor) -> Rounding:
    """Of the changed pixels those that matter most: at strength s those within a factor s of the most important."""
    importance = (change * slope).abs().sum(dim=1, keepdim=True)
    largest = importance.amax().item()
    return lambda strength: to_lattice(start + change * (importance >= max(largest / strength, 1e-30)))
