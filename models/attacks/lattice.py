"""Turns the picture of a float attack into an 8-bit picture that is verified to fool the model with a small change.

Rounding alone loses most minimal attacks (Bonnet et al. 2020, arxiv.org/abs/2007.10032): on a photo they move values by
less than half a level. So several ways to round are tried, the strength of each is bisected by asking the model, and
the smallest verified result is returned. The "lattice" is the set of pictures whose values are multiples of 1/255.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.attacks.geometry import LEVEL, Measure, Norm, Pictures, by, most_rows, size, to_lattice
from models.attacks.goal import Best
from models.attacks.objectives import margin
from models.attacks.roundings import Rounding, roundings_of, scaled, strongest, unit_l2
from models.bracket import LEAST_GAP, Bracket
from models.query import Task

QUICK_LOOKS = 12
"""Looks of `round_quickly`, fewer than a task may still make after its deadline (models.query.GRACE)."""
FIRST_LOOKS, FIRST_GROWTH = 4, 1.25
"""Looks of `round_until_won`, and by how much the strength grows from one to the next."""
PRECISION, QUICK_PRECISION = 0.0025, 0.01
"""Fraction of a strength to which the weakest that wins is known before its search ends, and with `quick`."""
MOST_LOOKS = 24
"""Largest number of looks at one rounding: doubled so often, any change becomes black and white."""
SLACK = 1e-5
"""Share by which a measured change may exceed its budget, for rounding errors of float32 sums."""
PUSHES, PUSH = 20, 2 * LEVEL
"""Largest number of steps that lower the margin on the lattice, and how far each step moves a value."""
RELINEARISATIONS, LEAST_GAIN = 4, 1e-3
"""Largest number of times that the direction is corrected, and the share of the L2 norm that each has to gain for
another one: with four, all of them together would gain less than 1 % more."""


@dataclass(frozen=True)
class Candidate:
    """A float attack's result for one row: pictures [1, 3, h, w] in [0, 1], and whether they win before rounding."""

    pictures: Pictures
    won: bool


def search_lattice(
    candidate: Candidate,
    verified: Best,
    *,
    norm: Norm,
    epsilon: float | None = None,
    black_box: bool = False,
    rows: int = 1,
    quick: bool = False,
) -> Task[None]:
    """Find the smallest change on the lattice that wins; with a budget `epsilon`, one that wins within it.

    `verified` begins with the look at the original. Its goal judges a picture by what becomes of its file, and it
    receives every better result, so all that it holds is verified. With a budget, a `black_box` search asks for no
    gradients. A query tries up to `rows` strengths at once, fewer of a large photo; `quick` ends it less precisely.
    """
    precision = QUICK_PRECISION if quick else PRECISION
    if epsilon is not None:
        yield from _search_budget(candidate, verified, norm, epsilon, black_box=black_box)
    elif candidate.won:
        yield from _search_smallest(candidate, verified, norm, min(rows, most_rows(candidate.pictures)), precision)
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
    elif candidate.won:
        yield from _find_weakest(rounding, verified, rows=1, looks=QUICK_LOOKS, precision=PRECISION)
    else:
        yield from _wins(rounding(1.0), verified)


def round_until_won(candidate: Candidate, verified: Best, *, norm: Norm, epsilon: float | None) -> Task[None]:
    """Verify a float change that wins, in FIRST_LOOKS looks: without a budget it is made stronger until it wins."""
    if epsilon is not None:
        yield from round_quickly(candidate, verified, norm=norm, epsilon=epsilon)
        return
    rounding = scaled(verified.start, candidate.pictures - verified.start)
    for look in range(FIRST_LOOKS):
        if (yield from _wins(rounding(FIRST_GROWTH**look), verified)):
            return


def _search_smallest(candidate: Candidate, verified: Best, norm: Norm, rows: int, precision: float) -> Task[None]:
    """Find the weakest strength of each rounding that suits the norm."""
    look = yield from verified.goal.look(candidate.pictures, score=margin)
    change = candidate.pictures - verified.start
    for rounding in roundings_of(verified.start, change, look.gradients, norm):
        yield from _find_weakest(rounding, verified, rows=rows, looks=MOST_LOOKS, precision=precision)
    if not verified.all_won:
        yield from _push(candidate, verified)
    elif norm == "l2":
        yield from _relinearise(look.gradients, verified, rows, precision)


def _search_budget(candidate: Candidate, verified: Best, norm: Norm, epsilon: float, *, black_box: bool) -> Task[None]:
    """Round the float picture; if that does not win, try the strongest of each rounding within the budget."""
    yield from round_quickly(candidate, verified, norm=norm, epsilon=epsilon)
    if verified.all_won or not candidate.won or math.isinf(epsilon):  # an infinite budget allows every strength already
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


def _find_weakest(rounding: Rounding, verified: Best, *, rows: int, looks: int, precision: float) -> Task[None]:
    """Find the weakest strength that wins, to `precision`; after a first win only smaller changes are worth a look.

    By how much the goal leads is nearly a line in the strength. A query has up to `rows` strengths; there are at most
    `looks` queries.
    """
    strength = 1.0
    if verified.all_won:
        strength = strongest(rounding, verified.start, _measure(verified), verified.size.item())
    confidence = verified.goal.confidence
    bracket = Bracket(min(verified.start_lead.item() - confidence, -LEAST_GAP), precision)
    strengths = [strength] if strength else []
    while strengths and looks:
        pictures = torch.cat([rounding(strength) for strength in strengths])
        look = yield from verified.goal.repeated(len(pictures)).look(pictures, gradients=False)
        for row in range(len(pictures)):
            verified.update(look.row(row))
        bracket.narrow(strengths, (look.lead - confidence).tolist())
        if verified.all_won and math.isinf(bracket.high):  # not even the strength that equals the best so far wins
            return
        strengths, looks = bracket.next(rows), looks - 1


def _wins(pictures: Pictures, verified: Best) -> Task[bool]:
    """Verify rounded pictures, and keep them if they are better."""
    look = yield from verified.goal.look(pictures, gradients=False)
    verified.update(look)
    ((_, won),) = look.verdicts
    return won


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


def _relinearise(gradients: Tensor, verified: Best, rows: int, precision: float) -> Task[None]:
    """Try new directions, each corrected by the gradient at the rounded picture, which differs from the float one's."""
    direction = unit_l2(gradients)
    for _ in range(RELINEARISATIONS):
        look = yield from verified.goal.look(verified.pictures, score=margin)
        direction = unit_l2(0.7 * direction + 0.3 * unit_l2(look.gradients))
        length = verified.size.item()
        rounding = scaled(verified.start, -length * direction)
        yield from _find_weakest(rounding, verified, rows=rows, looks=MOST_LOOKS, precision=precision)
        if verified.size.item() > (1 - LEAST_GAIN) * length:
            return


def _measure(verified: Best) -> Measure:
    assert verified.measure is not None, "the smallest change is searched by a measure"
    return verified.measure
