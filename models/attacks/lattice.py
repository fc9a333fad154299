"""Turns the picture of a float attack into an 8-bit picture that is verified to fool the model with a small change.

Rounding alone loses most minimal attacks (Bonnet et al. 2020, arxiv.org/abs/2007.10032): on a photo they move values by
less than half a level. So several ways to round are tried, the strength of each is bisected by asking the model, and
the smallest verified result is returned. The "lattice" is the set of pictures whose values are multiples of 1/255.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from models.attacks.geometry import LEVEL, Measure, Norm, Pictures, by, size, to_lattice
from models.attacks.goal import Best
from models.attacks.objectives import margin
from models.attacks.roundings import PRECISION, STRONGEST, Rounding, roundings_of, scaled, strongest, unit_l2
from models.query import Task

STRIDE = 1 / 16
"""First step towards smaller strengths, as an exponent of 2: 2^(1/16) is 4 %."""
QUICK_LOOKS = 12
"""Looks of `round_quickly`, fewer than a task may still make after its deadline (models.query.GRACE)."""
SLACK = 1e-5
"""Share by which a measured change may exceed its budget, for rounding errors of float32 sums."""
PUSHES, PUSH = 20, 2 * LEVEL
"""Largest number of steps that lower the margin on the lattice, and how far each step moves a value."""
RELINEARISATIONS = 4
"""How often the direction is corrected: four times give most of the gain, which is about 5 % of the L2 norm."""


@dataclass(frozen=True)
class Candidate:
    """A float attack's result for one row: pictures [1, 3, h, w] in [0, 1], and whether they win before rounding."""

    pictures: Pictures
    won: bool


def search_lattice(
    candidate: Candidate, verified: Best, *, norm: Norm, epsilon: float | None = None, black_box: bool = False
) -> Task[None]:
    """Find the smallest change on the lattice that wins; with a budget `epsilon`, one that wins within it.

    `verified` begins with the look at the original. Its goal judges a picture by what becomes of its file, and it
    receives every better result, so all that it holds is verified. With a budget, a `black_box` search asks for no
    gradients.
    """
    if epsilon is not None:
        yield from _search_budget(candidate, verified, norm, epsilon, black_box=black_box)
    elif candidate.won:
        yield from _search_smallest(candidate, verified, norm)
    else:
        yield from round_quickly(candidate, verified, norm=norm, epsilon=None)


def round_quickly(candidate: Candidate, verified: Best, *, norm: Norm, epsilon: float | None) -> Task[None]:
    """Round the float change in at most QUICK_LOOKS looks.

    With a budget the change is made as strong as the budget allows; without one, as weak as still wins.
    """
    rounding = scaled(verified.start, candidate.pictures - verified.start)
    if epsilon is not None:
        fits = _fits(rounding(1.0), verified, norm, epsilon)
        strength = 1.0 if fits else _strongest_within(rounding, verified, norm, epsilon)
        yield from _wins(rounding(strength), verified)
        return
    if not candidate.won:
        yield from _wins(rounding(1.0), verified)
        return
    low, high = 0.5, 1.0
    for _ in range(QUICK_LOOKS):
        if verified.won:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if (yield from _wins(rounding(middle), verified)) else (middle, high)
        elif not (yield from _wins(rounding(high), verified)):
            low, high = high, high * 2


def _search_smallest(candidate: Candidate, verified: Best, norm: Norm) -> Task[None]:
    """Bisect the strength of each rounding that suits the norm."""
    look = yield from verified.goal.look(candidate.pictures, score=margin)
    change = candidate.pictures - verified.start
    for rounding in roundings_of(verified.start, change, look.gradients, norm):
        yield from _bisect_weakest(rounding, verified)
    if not verified.won:
        yield from _push(candidate, verified)
    elif norm == "l2":
        yield from _relinearise(look.gradients, verified)


def _search_budget(candidate: Candidate, verified: Best, norm: Norm, epsilon: float, *, black_box: bool) -> Task[None]:
    """Round the float picture; if that does not win, try the strongest of each rounding within the budget."""
    yield from round_quickly(candidate, verified, norm=norm, epsilon=epsilon)
    if verified.won or not candidate.won or math.isinf(epsilon):  # an infinite budget allows every strength already
        return
    change = candidate.pictures - verified.start
    plain = scaled(verified.start, change)
    roundings = []
    if not black_box:
        look = yield from verified.goal.look(candidate.pictures)
        roundings = roundings_of(verified.start, change, look.gradients, norm)[1:]
    if _fits(plain(1.0), verified, norm, epsilon):  # otherwise `round_quickly` has tried its strongest already
        roundings = [plain, *roundings]
    for rounding in roundings:
        strength = _strongest_within(rounding, verified, norm, epsilon)
        if strength and (yield from _wins(rounding(strength), verified)):
            return


def _fits(pictures: Pictures, verified: Best, norm: Norm, epsilon: float) -> bool:
    return bool(size(pictures - verified.start, norm) <= epsilon * (1 + SLACK))


def _strongest_within(rounding: Rounding, verified: Best, norm: Norm, epsilon: float) -> float:
    return strongest(rounding, verified.start, by(norm), epsilon * (1 + SLACK))


def _bisect_weakest(rounding: Rounding, verified: Best) -> Task[None]:
    """Bisect for the weakest strength that wins; after a first win only smaller changes are worth a look."""
    low, high, step = 0.5, 1.0, 1.0
    if not verified.won:
        while not (yield from _wins(rounding(high), verified)):
            low, high = high, high * 2
            if high > STRONGEST:
                return
    else:
        high = strongest(rounding, verified.start, _measure(verified), verified.size.item())
        if high == 0.0 or not (yield from _wins(rounding(high), verified)):
            return
        # A rounding that beats the best so far mostly does so by little, so the steps to smaller ones start short.
        step = STRIDE
        while (yield from _wins(rounding(high * 2**-step), verified)):
            high, step = high * 2**-step, step * 2
            if high < 1 / STRONGEST:
                return
        low = high * 2**-step
    while high > (1 + PRECISION) * low:
        middle = (low * high) ** 0.5
        if (yield from _wins(rounding(middle), verified)):
            high = middle
        else:
            low = middle


def _wins(pictures: Pictures, verified: Best) -> Task[bool]:
    """Verify rounded pictures, and keep them if they are better."""
    look = yield from verified.goal.look(pictures, gradients=False)
    verified.update(look)
    return bool(look.won)


def _push(candidate: Candidate, verified: Best) -> Task[None]:
    """Lower the margin on the lattice by steps in the changed pixels alone.

    Some pictures win narrowly in float and lose when rounded. Where their values are clipped at black and white, a
    stronger change does not help.
    """
    changed = (candidate.pictures != verified.start).any(dim=1, keepdim=True)
    pictures = to_lattice(candidate.pictures)
    for _ in range(PUSHES):
        look = yield from verified.goal.look(pictures, score=margin)
        verified.update(look)
        if look.won:
            return
        pictures = to_lattice(pictures - PUSH * changed * look.gradients.sign())


def _relinearise(gradients: Tensor, verified: Best) -> Task[None]:
    """Try new directions, each corrected by the gradient at the rounded picture, which differs from the float one's."""
    direction = unit_l2(gradients)
    for _ in range(RELINEARISATIONS):
        look = yield from verified.goal.look(verified.pictures, score=margin)
        direction = unit_l2(0.7 * direction + 0.3 * unit_l2(look.gradients))
        length = verified.size.item()
        yield from _bisect_weakest(scaled(verified.start, -length * direction), verified)


def _measure(verified: Best) -> Measure:
    assert verified.measure is not None, "the smallest change is searched by a measure"
    return verified.measure
