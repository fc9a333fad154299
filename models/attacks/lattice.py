"""From a picture in float to the smallest change that an 8-bit file holds and the model, asked again, is fooled by.

Rounding alone loses most minimal attacks (Bonnet et al. 2020, arxiv.org/abs/2007.10032): on a photo they move values by
less than half a level. So several ways to round are tried, the strength of each is bisected through the model, and the
smallest result that was verified is kept.
"""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from models.attacks.geometry import LEVEL, Measure, Norm, Pictures, by, rows, size, to_lattice
from models.attacks.goal import Best
from models.attacks.objectives import margin
from models.query import Task


@runtime_checkable  # so that tests can check it where it is a parameter
class Rounding(Protocol):
    """From a strength above 0 to a picture on the lattice, further from the start the stronger."""

    def __call__(self, strength: float, every: int = 1) -> Pictures:
        """The picture, or every so manieth row of it."""
        ...


MOST = 2.0**20
"""The largest strength that is tried, of float attacks' own 1."""
PRECISION = 0.01
STRIDE = 1 / 16
"""Of a doubling: 4 %."""
HURRIED_LOOKS = 12
"""Fewer than a task may still ask when its time is up (models.query.GRACE)."""
MEASURED = 1_000_000
"""Values of a picture that are measured for a guess, where it has several times as many."""
SLACK = 1e-5
"""Of a budget, for sums of float32."""
PUSHES, PUSH = 20, 2 * LEVEL
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
    if not kept.won:
        yield from _push(best, kept)
    elif norm == "l2":
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


def _push(best: Best, kept: Best) -> Task[None]:
    """Further down the margin, on the lattice, by the pixels that changed: few that won by a hair lose when rounded.

    Scaled they meet black and white, where what helped and what did not are one.
    """
    changed = (best.pictures != best.start).any(dim=1, keepdim=True)
    pictures = to_lattice(best.pictures)
    for _ in range(PUSHES):
        look = yield from kept.goal.look(pictures, score=margin)
        kept.update(look)
        if look.won:
            return
        pictures = to_lattice(pictures - PUSH * changed * look.slope.sign())


def _relinearise(slope: Tensor, kept: Best) -> Task[None]:
    """New directions, each with a share of the gradient at the rounded picture, which is not where the float one is."""
    direction = _unit(slope)
    for _ in range(RELINEARISED):
        look = yield from kept.goal.look(kept.pictures, score=margin)
        direction = _unit(0.7 * direction + 0.3 * _unit(look.slope))
        length = kept.size.item()
        yield from _weakest(scaled(kept.start, -length * direction), kept)


def strongest(rounding: Rounding, start: Pictures, measure: Measure, limit: float) -> float:
    """The largest strength, to 1 %, whose change measures less than the limit; 0 where there is none. Asks nobody.

    To measure a photo of twelve megapixels takes half a second: there a guess by some of its rows comes first.
    """

    def measured(strength: float, every: int = 1) -> float:
        return measure(rounding(strength, every) - start[..., ::every, :]).item()

    guess, factor, every = 1.0, 2.0, start.numel() // MEASURED
    if every > 1 and (some := measured(guess, every)) and (whole := measured(guess)):
        found = _last_below(limit * some / whole, lambda strength: measured(strength, every), guess, factor)
        if 1 / MOST < found < MOST:  # where these rows reach the limit at all
            guess, factor = found, 1 + 2 * PRECISION
    return _last_below(limit, measured, guess, factor)


def _last_below(limit: float, measured: Callable[[float], float], strength: float, factor: float) -> float:
    """From a guess outwards by a factor, squared each time, then bisecting; 0 where nothing but no change is below."""
    above = measured(strength) >= limit
    factor = 1 / factor if above else factor
    while 1 / MOST < strength < MOST and (measured(strength * factor) >= limit) == above:
        strength, factor = strength * factor, factor**2
    low, high = sorted((strength, strength * factor))
    while high > (1 + PRECISION) * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if measured(middle) < limit else (low, middle)
    return low if 0 < measured(low) < limit else 0.0


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

    def rounding(strength: float, every: int = 1) -> Pictures:
        return to_lattice(torch.add(start[..., ::every, :], change[..., ::every, :], alpha=strength))

    return rounding


def along(start: Pictures, change: Tensor, slope: Tensor) -> Rounding:
    """Scale, then up or down to the level that lowers the loss."""
    # What float32 puts a hair beside a level belongs to it.
    lower = (0.5 - 1e-3) * LEVEL * slope.sign()

    def rounding(strength: float, every: int = 1) -> Pictures:
        moved = torch.add(start[..., ::every, :], change[..., ::every, :], alpha=strength)
        return to_lattice(moved.sub_(lower[..., ::every, :]))

    return rounding


def capped(start: Pictures, slope: Tensor, levels: int) -> Rounding:
    """Along the slope by `levels` at most: at strength 1 the largest value of the slope alone goes so far."""
    cap = levels * LEVEL
    step = -cap / max(slope.abs().amax().item(), 1e-30) * slope

    def rounding(strength: float, every: int = 1) -> Pictures:
        change = (strength * step[..., ::every, :]).clamp_(-cap, cap)
        return to_lattice(change.add_(start[..., ::every, :]))

    return rounding


def fewest(start: Pictures, change: Tensor, slope: Tensor) -> Rounding:
    """Of the changed pixels those that matter most: at strength s those within a factor s of the most important."""
    importance = (change * slope).abs().sum(dim=1, keepdim=True)
    largest = importance.amax().item()

    def rounding(strength: float, every: int = 1) -> Pictures:
        kept = importance[..., ::every, :] >= max(largest / strength, 1e-30)
        return to_lattice(start[..., ::every, :] + change[..., ::every, :] * kept)

    return rounding
