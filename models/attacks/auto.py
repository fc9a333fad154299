"""What a user wants without choosing: the smallest change that a few different attacks find between them."""

from collections.abc import Callable
from dataclasses import replace

from models.attacks.apgd import apgd
from models.attacks.ddn import ddn
from models.attacks.fmn import fmn
from models.attacks.geometry import LEVEL, Norm, Pictures
from models.attacks.goal import Best, Goal
from models.attacks.pgd import pgd
from models.attacks.sigma_zero import sigma_zero
from models.attacks.survive import rounded
from models.query import Progress, Task
from models.relay import relay

LEVELS = (1, 2, 4, 8, 16, 32, 64)
"""Linf budgets, each twice the last: nobody would call more than 64 of 255 levels a small change."""
CHEAP = 10
"""Steps of the first attempt, enough for a picture that is easily fooled."""


def auto(start: Pictures, goal: Goal, best: Best, *, norm: Norm = "l2", steps: int = 100, seed: int = 0) -> Task[None]:
    """A cheap attempt, then the norm's strongest attacks with `steps` steps each; `best` keeps the smallest win.

    L2: DDN with CHEAP steps, DDN, then FMN. L1: FMN. L0: FMN, then sigma-zero with three times the steps. Linf: the
    fewest levels at which APGD wins on the rounded picture, by doubling and then bisecting them; an attempt that has
    won ends. Costs one pass with gradients per step, and one without per attempt in Linf.
    """
    if norm == "linf":
        yield from _fewest_levels(start, goal, best, steps=steps, seed=seed)
    elif norm == "l2":
        attacks: list[tuple[Task[None], int]] = [
            (ddn(start, goal, best, steps=CHEAP), CHEAP),
            (ddn(start, goal, best, steps=steps), steps),
            (fmn(start, goal, best, norm="l2", steps=steps), steps),
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


def _one_after_another(attacks: list[tuple[Task[None], int]]) -> Task[None]:
    total, done = sum(steps for _, steps in attacks), 0
    for attack, steps in attacks:
        yield from relay(attack, _from(done, total))
        done += steps


def _fewest_levels(start: Pictures, goal: Goal, best: Best, *, steps: int, seed: int) -> Task[None]:
    # What is judged at whole levels must be looked at on them: in float a smaller change may win that no file holds.
    seen = replace(goal, views=(rounded, *goal.views[1:]))
    total = (CHEAP + steps) * (len(LEVELS) + 5)
    attempts = 0

    def reaches(levels: int) -> Task[bool]:
        nonlocal attempts
        epsilon = levels * LEVEL

        def reached() -> bool:
            return bool((best.size <= epsilon + 1e-6).all())

        for attack in (
            pgd(start, seen, best, epsilon=epsilon, steps=CHEAP, seed=seed),
            apgd(start, seen, best, epsilon=epsilon, steps=steps, seed=seed),
        ):
            yield from relay(attack, _from(attempts, total), until=reached)
            if reached():
                break
        attempts += CHEAP + steps
        return reached()

    low = 0
    for high in LEVELS:
        if (yield from reaches(high)):
            break
        low = high
    else:
        return
    while high - low > 1:
        middle = (low + high) // 2
        if (yield from reaches(middle)):
            high = middle
        else:
            low = middle


def _from(done: int, total: int) -> Callable[[Progress], Progress]:
    """Steps that count on from those of the attempts before."""
    return lambda said: replace(said, step=min(done + said.step, total), steps=total)
