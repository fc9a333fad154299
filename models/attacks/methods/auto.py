"""What a user wants without choosing: the smallest change that a few different attacks find between them."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from models.attacks.geometry import LEVEL, Norm, PerRow, Pictures
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.apgd import apgd
from models.attacks.methods.ddn import ddn
from models.attacks.methods.fmn import fmn
from models.attacks.methods.pgd import pgd
from models.attacks.methods.sigma_zero import sigma_zero
from models.attacks.survive import of_rounded
from models.query import Progress, Task
from models.relay import relay

LEVELS = (1, 2, 4, 8, 16, 32, 64)
"""Linf budgets, each twice the last: nobody would call more than 64 of 255 levels a small change."""
MOST_ATTEMPTS = len(LEVELS) + 5
"""Of one row: between 32 and 64 levels five are enough."""
CHEAP = 10
"""Steps of the first attempt, enough for a picture that is easily fooled."""


def auto(start: Pictures, goal: Goal, best: Best, *, norm: Norm = "l2", steps: int = 100, seed: int = 0) -> Task[None]:
    """A cheap attempt, then the norm's strongest attacks with `steps` steps each; `best` keeps the smallest win.

    L2: DDN with CHEAP steps, DDN, then FMN. L1: FMN. L0: FMN, then sigma-zero with three times the steps. Linf: the
    fewest levels at which APGD wins on the rounded picture, by doubling and then bisecting them; an attempt that has
    won ends. Costs one pass with gradients per step, and in Linf one without at the end of each PGD and APGD.
    """
    if norm == "linf":
        yield from _fewest_levels(start, goal, best, steps=steps, seed=seed)
    elif norm == "l2":
        attacks: list[tuple[Task[None], int]] = [
            (ddn(start, goal, best, steps=CHEAP), CHEAP),
            (ddn(start, goal, best, steps=steps), steps),
            (fmn(start, goal, _Afresh(best), norm="l2", steps=steps), steps),
        ]
        yield from _one_after_another(attacks)
    elif norm == "l1":
        yield from fmn(start, goal, best, norm="l1", steps=steps)
    else:
        attacks = [
            (fmn(start, goal, best, norm="l0", steps=steps), steps),
            (sigma_zero(start, goal, best, steps=3 * steps), 3 * steps),
        ]
        yield from _one_after_another(attacks)


class _Afresh(Best):
    """The best as it is now, kept apart for an attack that reads it, so that it goes as it does alone.

    Its looks, and its progress, are the shared one's too.
    """

    def __init__(self, shared: Best) -> None:
        vars(self).update(vars(shared))
        self.shared = shared

    def update(self, look: Look) -> Bool[Tensor, " n"]:
        """Keep what is better, here and there."""
        self.shared.update(look)
        return super().update(look)

    def progress(self, step: int, steps: int) -> Progress:
        """A report of what all attacks have reached."""
        return self.shared.progress(step, steps)


def _one_after_another(attacks: list[tuple[Task[None], int]]) -> Task[None]:
    total, done = sum(steps for _, steps in attacks), 0
    for attack, steps in attacks:
        yield from relay(attack, _from(done, total))
        done += steps


def _fewest_levels(start: Pictures, goal: Goal, best: Best, *, steps: int, seed: int) -> Task[None]:
    # What is judged at whole levels must be looked at on them: in float a smaller change may win that no file holds.
    seen = replace(goal, views=of_rounded(goal.views))
    total = (CHEAP + steps) * MOST_ATTEMPTS
    attempts = 0
    low = torch.zeros_like(best.size)

    def attempt(levels: int) -> Task[bool]:
        """Whether all rows have won within so many levels, now or before."""
        nonlocal attempts, low
        epsilon = levels * LEVEL
        done = attempts * (CHEAP + steps)
        attempts += 1

        def reached() -> bool:
            return bool((_levels(best) <= levels).all())

        cheap = pgd(start, seen, best, epsilon=epsilon, steps=CHEAP, seed=seed)
        yield from relay(cheap, _from(done, total), until=reached)
        if not reached():
            strong = apgd(start, seen, best, epsilon=epsilon, steps=steps, seed=seed)
            yield from relay(strong, _from(done + CHEAP, total), until=reached)
        low = torch.where(_levels(best) > levels, low.clamp(min=levels), low)
        return reached()

    for levels in LEVELS:
        if (yield from attempt(levels)):
            break
    while middle := _middle(low, _levels(best)):
        yield from attempt(middle)


def _levels(best: Best) -> PerRow:
    """The whole levels within which each row has won; infinite where it has not."""
    return (best.size * 255 - 1e-3).ceil().clamp(min=1)


def _middle(low: PerRow, high: PerRow) -> int:
    """Of the first row that is not settled, 0 where all are; a row that has not won is past help."""
    for below, above in zip(low.tolist(), high.tolist(), strict=True):
        if 1 < above - below < math.inf:
            return int(below + above) // 2
    return 0


def _from(done: int, total: int) -> Callable[[Progress], Progress]:
    """Steps that count on from those of the attempts before."""
    return lambda said: replace(said, step=min(done + said.step, total), steps=total)
