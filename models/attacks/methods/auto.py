"""The default attack: the smallest change that several attacks find between them."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch

from models.attacks.geometry import LEVEL, Norm, PerRow, Pictures
from models.attacks.goal import Best, Goal
from models.attacks.methods.apgd import apgd
from models.attacks.methods.ddn import FINE, ddn, fading_ddn, refine
from models.attacks.methods.deepfool import deepfool
from models.attacks.methods.fmn import fmn
from models.attacks.methods.pgd import pgd
from models.attacks.methods.sigma_zero import sigma_zero
from models.attacks.shared_options import Seed
from models.effort import Effort
from models.options import Option
from models.query import Progress, Task
from models.relay import relay

LEVELS = (1, 2, 4, 8, 16, 32, 64)
"""Linf budgets in levels (1/255), each twice the last; a change of more than 64 levels is not small."""
MOST_ATTEMPTS = len(LEVELS) + 5
"""Largest number of budgets that are tried: all LEVELS, and five more to bisect between 32 and 64."""
CHEAP = 10
"""Steps of the first, cheap run, enough for a picture on which the model is easily fooled."""
CANDIDATES = 3
"""Candidate classes of DeepFool where it only finds out how far the decision boundary is."""
DEEPFOOL_STEPS: dict[Effort, int] = {"quick": 3, "standard": 10}
"""Its steps by effort."""
HALVINGS = 6
"""Largest number of times that DeepFool's change is halved before DDN."""
STEPS: dict[Norm, dict[Effort, int]] = {
    "l2": {"quick": 8, "standard": 20, "thorough": 100},
    "linf": {"quick": 10, "standard": 25, "thorough": 100},
    "l1": {"quick": 40, "standard": 70, "thorough": 100},
    "l0": {"quick": 80, "standard": 160, "thorough": 100},
}
"""Steps of each attack by effort (docs/decisions/0038-efforts-and-the-first-success.md)."""
TWO_CLASSES_STEPS: dict[Effort, int] = {"quick": 19, "standard": 34, "thorough": 100}
"""The same in L2 with two classes, where DeepFool is left out."""
TARGETED_STEPS: dict[Effort, int] = {"quick": 30, "standard": 34, "thorough": 100}
"""The same in L2 towards one of more than two classes, where DeepFool is left out as well."""
QUICK_FINE = 0.02
"""With `quick`, the share by which the length of DDN alone changes at the end: fewer steps must not become too fine."""


def auto(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "l2",
    effort: Annotated[
        Effort,
        Option(
            "How much work the search puts in. quick: a small perturbation soon. standard: nearly the smallest that "
            "auto can find. thorough: the smallest, in several times the time."
        ),
    ] = "standard",
    steps: Annotated[
        int | None,
        Option(
            "Number of steps of the main attacks that auto runs. Short attacks that only find a starting point keep "
            "their own numbers, and in L0 with effort=thorough sigma-zero takes three times as many. More steps make "
            "the perturbation smaller, and take more time.",
            least=1,
            most=1000,
            default_text="as many as the effort needs; 100 with effort=thorough",
        ),
    ] = None,
    seed: Seed = 0,
) -> Task[None]:
    """Run the attacks that suit the norm and the effort; `best` keeps the smallest change that wins.

    L2: DDN; without a target, on a model of more than two classes, DeepFool first, whose change is halved while it
    wins, and DDN from there; thorough: DDN with CHEAP steps, DDN, then FMN. L1: FMN. L0: sigma-zero; thorough: FMN,
    then sigma-zero with three times the steps. Linf: the budget in whole levels is doubled until PGD or APGD wins on
    the rounded picture, and then bisected; a run ends as soon as it has won. Costs one pass with gradients per step,
    and in Linf one without at the end of each run.
    """
    thorough, two_classes = effort == "thorough", best.logits.shape[1] == 2
    if steps is None:
        steps = _default_steps(norm, two_classes=two_classes, targeted=goal.targeted)[effort]
    if norm == "linf":
        yield from _fewest_levels(start, goal, best, steps=steps, seed=seed)
        return
    attacks: list[tuple[Task[None], int]]
    if norm == "l2" and thorough:
        attacks = [
            (ddn(start, goal, best, steps=CHEAP), CHEAP),
            (ddn(start, goal, best, steps=steps), steps),
            (fmn(start, goal, best.branch(), norm="l2", steps=steps), steps),
        ]
    elif norm == "l2" and (two_classes or goal.targeted):
        fine = QUICK_FINE if effort == "quick" else FINE
        attacks = [(fading_ddn(start, goal, best, steps=steps, fine=fine), steps)]
    elif norm == "l2":
        first = DEEPFOOL_STEPS[effort]
        attacks = [
            (deepfool(start, goal, best, steps=first, candidates=CANDIDATES), first),
            (_halve(start, goal, best), 0),
            (refine(start, goal, best, steps=steps), steps),
        ]
    elif norm == "l1":
        attacks = [(fmn(start, goal, best, norm="l1", steps=steps), steps)]
    elif thorough:
        attacks = [
            (fmn(start, goal, best, norm="l0", steps=steps), steps),
            (sigma_zero(start, goal, best, steps=3 * steps), 3 * steps),
        ]
    else:
        attacks = [(sigma_zero(start, goal, best, steps=steps), steps)]
    yield from _run_in_turn(attacks)


def _default_steps(norm: Norm, *, two_classes: bool, targeted: bool) -> dict[Effort, int]:
    if norm == "l2" and two_classes:
        return TWO_CLASSES_STEPS
    return TARGETED_STEPS if norm == "l2" and targeted else STEPS[norm]


def _halve(start: Pictures, goal: Goal, best: Best) -> Task[None]:
    """Halve the change while it wins: where the model is not linear, DeepFool goes several times too far."""
    change = best.pictures - start
    for _ in range(HALVINGS if best.won.any() else 0):
        change = change / 2
        look = yield from goal.look(start + change, gradients=False)
        best.update(look)
        if not look.won.any():
            return


def _run_in_turn(attacks: list[tuple[Task[None], int]]) -> Task[None]:
    """Run attacks, each given with its number of steps, and report their progress as that of one."""
    total, done = sum(steps for _, steps in attacks), 0
    for attack, steps in attacks:
        yield from relay(attack, _continue_from(done, total))
        done += steps


def _fewest_levels(start: Pictures, goal: Goal, best: Best, *, steps: int, seed: int) -> Task[None]:
    # The model is asked about rounded pictures: a smaller change may win in float, but no 8-bit file can hold it.
    rounded_goal = replace(goal, rounds=True)
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
