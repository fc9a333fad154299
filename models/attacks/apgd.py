"""Auto-PGD, whose steps adapt themselves (Croce & Hein 2020, arxiv.org/abs/2003.01690)."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from models.attacks.apgd_l1 import SparseSteps
from models.attacks.geometry import Norm, PerRow, Pictures, project_l2, rows
from models.attacks.goal import Best, Goal
from models.attacks.objectives import dlr, dlr_towards, log_odds
from models.attacks.steepest import random_point, steepest
from models.query import Objective, Task

MOMENTUM = 0.75
"""Of a move the share that is the new step; the rest goes on as the last move went."""
RISING = 0.75
"""The share of steps since the last checkpoint that must have helped for a step to keep its length (the paper's rho)."""


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
    """From a random point of the ball, steps that shorten and return to the best where they stop to help; per row.

    `loss` is one of LOSSES. "ce" is the log-odds, which order pictures as the cross-entropy does; "dlr" the difference
    of logits ratio; "dlr_targeted" that towards each of the `candidates` classes most likely after the label at the
    start, one run each, and for a targeted goal towards the target. Whatever it is, `best` compares log-odds. A row
    that has won takes no part in later runs. L1 moves as in Croce & Hein 2021 (arxiv.org/abs/2103.01208). Costs
    `steps` passes with gradients and one without per run, `restarts` runs (times `candidates`), fewer once all rows
    have won.
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
            logits, slope = yield from goal.ask(picture, objective if step < steps else None)
            seen = goal.judge(picture, logits)
            best.update(replace(seen, won=seen.won & ~done))
            won = won | seen.won
            if slope is None:
                break
            reached = goal.judge(picture, logits, objective=objective).loss
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


class HalvedSteps:
    """Steps with momentum, in Linf or L2: from twice epsilon, halved at checkpoints where they stop to help."""

    def __init__(self, start: Pictures, norm: Norm, epsilon: float, steps: int) -> None:
        self.start, self.norm, self.epsilon = start, norm, epsilon
        self.lowest, self.highest = (start - epsilon).clamp_(min=0), (start + epsilon).clamp_(max=1)
        self.length = start.new_full((len(start),), 2 * epsilon)
        self.before: Pictures | None = None
        self.checkpoints = checkpoints(steps)
        self.last_check = 0
        self.last_loss = self.last_least = start.new_full((len(start),), torch.inf)
        self.helped = torch.zeros_like(self.length)
        self.halved = torch.zeros_like(self.length, dtype=torch.bool)

    def onwards(self, pictures: Pictures, slope: Pictures) -> Pictures:
        """The next pictures."""
        step = steepest(slope, self.norm)
        moved = self._project(torch.addcmul(pictures, step, rows(self.length), value=-1))
        if self.before is not None:
            moved.mul_(MOMENTUM).add_(pictures, alpha=2 - 2 * MOMENTUM).sub_(self.before, alpha=1 - MOMENTUM)
            moved = self._project(moved)
        self.before = pictures
        return moved

    def _project(self, moved: Tensor) -> Tensor:
        if self.norm == "linf":
            return moved.clamp_(self.lowest, self.highest)
        return project_l2(moved, self.start, self.epsilon)

    def check(self, step: int, loss: PerRow, kept: Pictures, least: PerRow) -> Tensor | None:
        """At a checkpoint, the rows that go back to the best so far, with half the step."""
        if step:
            self.helped += loss < self.last_loss
        else:
            self.last_least = loss
        self.last_loss = loss
        if step not in self.checkpoints:
            return None
        stuck = ~self.halved & (least >= self.last_least)
        self.halved = stuck | (self.helped < RISING * (step - self.last_check))
        self.length = torch.where(self.halved, self.length / 2, self.length)
        self.helped, self.last_check, self.last_least = torch.zeros_like(self.helped), step, least
        self.last_loss = torch.where(self.halved, least, loss)
        return self.halved


def checkpoints(steps: int) -> frozenset[int]:
    """The steps at which lengths are judged: gaps of 22 % of all, each 3 % shorter than the last, of 6 % at least."""
    found, percent, gap = [], 22, 22
    while percent <= 100:
        found.append(-(-percent * steps // 100))
        gap = max(gap - 3, 6)
        percent += gap
    return frozenset(found)


def _same(score: Callable[[Tensor, Tensor], Tensor]) -> "Objectives":
    return lambda goal, logits, candidates: [goal.toward(score)]


def _towards(goal: Goal, logits: Tensor, candidates: int) -> list[Objective]:
    """From the label to each candidate; from the class seen at the start to the target."""
    others = logits.scatter(1, goal.labels.unsqueeze(1), -torch.inf)
    count = 1 if goal.targeted else min(candidates, logits.shape[1] - 1)
    likeliest = others.topk(count, dim=1).indices.unbind(dim=1)
    pairs = [(each, goal.labels) if goal.targeted else (goal.labels, each) for each in likeliest]
    return [_from_to(label, target) for label, target in pairs]


def _from_to(label: Tensor, target: Tensor) -> Objective:
    score = dlr_towards(target)
    return lambda logits: score(logits, label)


Objectives = Callable[[Goal, Tensor, int], list[Objective]]
"""From the goal, the logits at the start and a number of candidates to what each run minimises."""

LOSSES: dict[str, Objectives] = {"ce": _same(log_odds), "dlr": _same(dlr), "dlr_targeted": _towards}
