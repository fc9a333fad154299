"""Auto-PGD (APGD): PGD whose step sizes adapt by themselves (Croce & Hein 2020, arxiv.org/abs/2003.01690)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from models.attacks.geometry import Norm, Pictures, rows
from models.attacks.goal import Best, Goal
from models.attacks.methods.apgd_l1 import SparseSteps
from models.attacks.methods.apgd_steps import HalvedSteps
from models.attacks.methods.steepest import random_point
from models.attacks.objectives import dlr, dlr_towards, log_odds, most_probable_others
from models.attacks.shared_options import Epsilon, Restarts, Seed, Steps, Stop
from models.options import Option
from models.query import Objective, Task

Loss = Literal["ce", "dlr", "dlr_targeted"]


def apgd(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: Epsilon = 8 / 255,
    steps: Steps = 100,
    restarts: Restarts = 1,
    loss: Annotated[
        Loss,
        Option(
            "Loss that the attack minimises. ce: the cross-entropy. dlr: the difference of logits ratio, which does "
            "not depend on the scale of the logits. dlr_targeted: that ratio towards each of the most probable other "
            "classes in turn (`candidates`), the strongest and slowest; with a target class it is the same as dlr."
        ),
    ] = "ce",
    candidates: Annotated[
        int,
        Option(
            "Number of most probable other classes that loss=dlr_targeted attacks, one run for each; the other losses "
            "ignore it. More classes succeed more often, and take proportionally more time.",
            least=1,
            most=1000,
        ),
    ] = 9,
    seed: Seed = 0,
    stop: Stop = "strongest",
) -> Task[None]:
    """Take steps from a random point of the ball; once they stop helping, shorten them and go back to the best point.

    In L1 it takes the sparse steps of APGD-L1 (Croce & Hein 2021, arxiv.org/abs/2103.01208). With `loss` "ce" it
    minimises the log-odds, which order pictures as the cross-entropy does. `best` holds the start's look and receives
    every look; it compares log-odds whatever the loss. A row that has won takes no part in later runs. Costs `steps`
    passes with gradients and one without per run; there are `restarts` runs (per candidate), fewer once all rows have
    won.
    """
    random = torch.Generator().manual_seed(seed)
    objectives = [objective for objective in LOSSES[loss](goal, best.logits, candidates) for _ in range(restarts)]
    won = torch.zeros_like(best.won)
    for run, objective in enumerate(objectives):
        won_before = won
        if won_before.all():
            return
        adaptive, pictures = _begin(start, goal, norm, epsilon, steps, random)
        lowest_pictures, lowest_gradients = pictures, torch.zeros_like(start)
        lowest_loss = torch.full_like(best.loss, torch.inf)
        for step in range(steps + 1):
            logits, loss_now, gradients = yield from goal.ask(pictures, objective if step < steps else None)
            look = goal.judge(pictures, logits, losses=loss_now if loss == "ce" else None)
            best.update(replace(look, won=look.won & ~won_before) if run else look)
            won = won | look.won
            if gradients is None or loss_now is None:
                break
            lower = (loss_now < lowest_loss).tolist()
            lowest_loss = loss_now.minimum(lowest_loss)
            lowest_pictures = _choose(lower, pictures, lowest_pictures)
            lowest_gradients = _choose(lower, gradients, lowest_gradients)
            restart = adaptive.check(step, loss_now, lowest_pictures, lowest_loss)
            if restart is not None:
                at_restart = restart.tolist()
                pictures = _choose(at_restart, lowest_pictures, pictures)
                gradients = _choose(at_restart, lowest_gradients, gradients)
            pictures = adaptive.step(pictures, gradients)
            yield best.progress(run * steps + step + 1, len(objectives) * steps)
            if stop == "first" and best.settled:
                return


def _begin(
    start: Pictures, goal: Goal, norm: Norm, epsilon: float, steps: int, random: torch.Generator
) -> "tuple[HalvedSteps | SparseSteps, Pictures]":
    """The norm's adaptive steps, and the pictures at which a run begins."""
    if norm == "l1":
        change = SparseSteps.random_change(start, epsilon, random)
        return SparseSteps(start, goal, epsilon, steps), start + goal.masked(change)
    change = random_point(start, norm, epsilon, random) - start
    return HalvedSteps(start, norm, epsilon, steps), start + goal.masked(change)


def _choose(chosen: list[bool], pictures: Tensor, otherwise: Tensor) -> Tensor:
    """Rows of `pictures` where `chosen` is true, of `otherwise` elsewhere."""
    if all(chosen):  # with a single row either all or none is chosen, and nothing is copied
        return pictures
    if not any(chosen):
        return otherwise
    return torch.where(rows(torch.tensor(chosen, device=pictures.device)), pictures, otherwise)


Objectives = Callable[[Goal, Tensor, int], list[Objective]]
"""From the goal, the logits at the start and the number of candidates to the objective of each run."""


def _log_odds(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    return [goal.objective(log_odds)]


def _dlr(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    return [_to_target(goal.labels)] if goal.targeted else [goal.objective(dlr)]


def _dlr_of_candidates(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    if goal.targeted:
        return [_to_target(goal.labels)]
    return [goal.objective(dlr_towards(other)) for other in most_probable_others(logits, goal.labels, candidates)]


def _to_target(targets: Tensor) -> Objective:
    """The targeted ratio against the strongest other class at each step, which need not be the first label."""
    score = dlr_towards(targets)
    return lambda logits: score(logits, logits.scatter(1, targets.unsqueeze(1), -torch.inf).argmax(dim=1))


LOSSES: dict[Loss, Objectives] = {"ce": _log_odds, "dlr": _dlr, "dlr_targeted": _dlr_of_candidates}
