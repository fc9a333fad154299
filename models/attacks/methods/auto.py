"""The default attack: the smallest change that several attacks find between them."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch

from models.attacks.geometry import LEVEL, Norm, PerRow, Pictures
from models.attacks.goal import Best, Goal
from models.attacks.methods.apgd import apgd
from models.attacks.methods.ddn import ddn
from models.attacks.methods.fmn import fmn
from models.attacks.methods.pgd import pgd
from models.attacks.methods.sigma_zero import sigma_zero
from models.attacks.shared_options import Seed
from models.attacks.survive import round_before
from models.options import Option
from models.query import Progress, Task
from models.relay import relay

LEVELS = (1, 2, 4, 8, 16, 32, 64)
"""Linf budgets in levels (1/255), each twice the last; a change of more than 64 levels is not small."""
MOST_ATTEMPTS = len(LEVELS) + 5
"""Largest number of budgets that are tried: all LEVELS, and five more to bisect between 32 and 64."""
CHEAP = 10
"""Steps of the first, cheap run, enough for a picture on which the model is easily fooled."""


def auto(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    steps: Annotated[
        int,
        Option(
            "Number of steps of each of the attacks that auto runs (three times as many of sigma_zero in l0). More "
            "steps make the perturbation smaller, and take proportionally more time.",
            least=1,
            most=1000,
        ),
    ] = 100,
    seed: Seed = 0,
) -> Task[None]:
    """Run the strongest attacks for the norm, with `steps` steps each; `best` keeps the smallest change that wins.

    L2: DDN with CHEAP steps, DDN, then FMN. L1: FMN. L0: FMN, then sigma-zero with three times the steps. Linf: the
    budget in whole levels is doubled until PGD or APGD wins on the rounded picture, and then bisected; a run ends as
    soon as it has won. Costs one pass with gradients per step, and in Linf one without at the end of each run.
    """
    if norm == "linf":
        yield from _fewest_levels(start, goal, best, steps=steps, seed=seed)
    elif norm == "l2":
        attacks: list[tuple[Task[None], int]] = [
            (ddn(start, goal, best, steps=CHEAP), CHEAP),
            (ddn(start, goal, best, steps=steps), steps),
            (fmn(start, goal, best.branch(), norm="l2", steps=steps), steps),
        ]
        yield from _run_in_turn(attacks)
    elif norm == "l1":
        yield from fmn(start, goal, best, norm="l1", steps=steps)
    else:
        attacks = [
            (fmn(start, goal, best, norm="l0", steps=steps), steps),
            (sigma_zero(start, goal, best, steps=3 * steps), 3 * steps),
        ]
        yield from _run_in_turn(attacks)


def _run_in_turn(attacks: list[tuple[Task[None], int]]) -> Task[None]:
    """Run attacks, each given with its number of steps, and report their progress as that of one."""
    total, done = sum(steps for _, steps in attacks), 0
    for attack, steps in attacks:
        yield from relay(attack, _continue_from(done, total))
        done += steps


def _fewest_levels(start: Pictures, goal: Goal, best: Best, *, steps: int, seed: int) -> Task[None]:
    # The model is asked about rounded pictures: a smaller change may win in float, but no 8-bit file can hold it.
    rounded_goal = replace(goal, views=round_before(goal.views))
    total = (CHEAP + steps) * MOST_ATTEMPTS
    attempts = 0
    low = torch.zeros_like(best.size)

    def attempt(levels: int) -> Task[bool]:
        """Attack within a budget of `levels`; returns whether all rows have won within it, now or before."""
        nonlocal attempts, low
        epsilon = levels * LEVEL
        done = attempts * (CHEAP + steps)
        attempts += 1

        def all_won() -> bool:
            return bool((_levels(best) <= levels).all())

        cheap = pgd(start, rounded_goal, best, epsilon=epsilon, steps=CHEAP, seed=seed)
        yield from relay(cheap, _continue_from(done, total), until=all_won)
        if not all_won():
            strong = apgd(start, rounded_goal, best, epsilon=epsilon, steps=steps, seed=seed)
            yield from relay(strong, _continue_from(done + CHEAP, total), until=all_won)
        low = torch.where(_levels(best) > levels, low.clamp(min=levels), low)
        return all_won()

    for levels in LEVELS:
        if (yield from attempt(levels)):
            break
    while middle := _middle(low, _levels(best)):
        yield from attempt(middle)


def _levels(best: Best) -> PerRow:
    """The whole levels within which each row has won; infinite if it has not."""
    return (best.size * 255 - 1e-3).ceil().clamp(min=1)


def _middle(low: PerRow, high: PerRow) -> int:
    """The middle between the bounds of the first row that is still to bisect; 0 if there is none.

    A row that has not won within any of LEVELS is not bisected.
    """
    for below, above in zip(low.tolist(), high.tolist(), strict=True):
        if 1 < above - below < math.inf:
            return int(below + above) // 2
    return 0


def _continue_from(done: int, total: int) -> Callable[[Progress], Progress]:
    """Reports of one run as reports of all: its steps are counted from `done`, up to `total`."""
    return lambda report: replace(report, step=min(done + report.step, total), steps=total)
