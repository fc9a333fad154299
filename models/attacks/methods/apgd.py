"""Auto-PGD, whose steps adapt themselves (Croce & Hein 2020, arxiv.org/abs/2003.01690)."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from models.attacks.geometry import Norm, Pictures, rows
from models.attacks.goal import Best, Goal
from models.attacks.methods.apgd_l1 import SparseSteps
from models.attacks.methods.apgd_steps import HalvedSteps
from models.attacks.methods.steepest import random_point
from models.attacks.objectives import dlr, dlr_towards, log_odds
from models.query import Objective, Task


def apgd(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: float = 8 / 255,
    steps: int = 100,
    restarts: int = 1,
    loss: str = "ce",
    candidates: int = 9,
    seed: int = 0,
) -> Task[None]:
    """From a random point of the ball, steps that shorten and return to the best where they stop to help, per row.

    `loss` is one of LOSSES. "ce": the log-odds, which order pictures as the cross-entropy does. "dlr": the difference
    of logits ratio, of a targeted goal the targeted one. "dlr_targeted": that towards each of the `candidates` classes
    most likely after the label at the start, one run each; of a targeted goal as "dlr". Whatever it is, `best` compares
    log-odds. A row that has won takes no part in later runs. L1 moves as in Croce & Hein 2021
    (arxiv.org/abs/2103.01208). Costs `steps` passes with gradients and one without per run, and there are `restarts`
    runs (times the candidates), fewer once all rows have won.
    """
    random = torch.Generator().manual_seed(seed)
    objectives = [each for each in LOSSES[loss](goal, best.logits, candidates) for _ in range(restarts)]
    won = torch.zeros_like(best.won)
    for run, objective in enumerate(objectives):
        done = won
        if done.all():
            return
        moves, picture = _begin(start, goal, norm, epsilon, steps, random)
        kept, kept_slope, least = picture, torch.zeros_like(start), torch.full_like(best.loss, torch.inf)
        for step in range(steps + 1):
            logits, reached, slope = yield from goal.ask(picture, objective if step < steps else None)
            seen = goal.judge(picture, logits, losses=reached if loss == "ce" else None)
            best.update(replace(seen, won=seen.won & ~done))
            won = won | seen.won
            if slope is None or reached is None:
                break
            lower = reached < least
            least = reached.minimum(least)
            kept, kept_slope = _choose(lower, picture, kept), _choose(lower, slope, kept_slope)
            back = moves.check(step, reached, kept, least)
            if back is not None:
                picture, slope = _choose(back, kept, picture), _choose(back, kept_slope, slope)
            picture = moves.onwards(picture, slope)
            yield best.progress(run * steps + step + 1, len(objectives) * steps)


def _begin(
    start: Pictures, goal: Goal, norm: Norm, epsilon: float, steps: int, random: torch.Generator
) -> "tuple[HalvedSteps | SparseSteps, Pictures]":
    if norm == "l1":
        change = SparseSteps.random_change(start, epsilon, random)
        return SparseSteps(start, goal, epsilon, steps), start + goal.masked(change)
    change = random_point(start, norm, epsilon, random) - start
    return HalvedSteps(start, norm, epsilon, steps), start + goal.masked(change)


def _choose(these: Tensor, pictures: Tensor, others: Tensor) -> Tensor:
    if these.all():  # of one picture, always or never; nothing is copied
        return pictures
    return torch.where(rows(these), pictures, others) if these.any() else others


Objectives = Callable[[Goal, Tensor, int], list[Objective]]
"""From the goal, the logits at the start and a number of candidates to what each run minimises."""


def _cross_entropy(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    return [goal.toward(log_odds)]


def _ratio(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    return [_to_target(goal.labels)] if goal.targeted else [goal.toward(dlr)]


def _ratios(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    if goal.targeted:
        return [_to_target(goal.labels)]
    others = logits.scatter(1, goal.labels.unsqueeze(1), -torch.inf)
    likeliest = others.topk(min(candidates, logits.shape[1] - 1), dim=1).indices
    return [goal.toward(dlr_towards(each)) for each in likeliest.unbind(dim=1)]


def _to_target(targets: Tensor) -> Objective:
    """The targeted ratio, from the class that is strongest by then: the first label may no longer be in the way."""
    score = dlr_towards(targets)
    return lambda logits: score(logits, logits.scatter(1, targets.unsqueeze(1), -torch.inf).argmax(dim=1))


LOSSES: dict[str, Objectives] = {"ce": _cross_entropy, "dlr": _ratio, "dlr_targeted": _ratios}
