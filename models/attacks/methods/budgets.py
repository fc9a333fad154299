"""The strongest change within a budget: PGD (arxiv.org/abs/1706.06083) from the smallest change that is known."""

import math
from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.geometry import Norm, Pictures, by, projection, rows, size
from models.attacks.goal import Best, Goal, Look
from models.attacks.lattice import SLACK
from models.attacks.methods.steepest import steepest
from models.attacks.objectives import SETTLED
from models.attacks.reduced import is_reduced, reduce
from models.attacks.roundings import scaled, strongest
from models.preprocessing import to_float
from models.query import DeadlineExceeded, Task
from models.spec import Spec

LONGEST, SHORTEST = 0.5, 0.05
"""Lengths of the first and of the last step, as fractions of the budget."""
PATIENCE, GAIN = 3, 0.005
"""A search ends when the probability of the goal has grown by less than GAIN in PATIENCE steps."""
CERTAIN = 0.999
"""Probability of the goal at which a search ends."""


class BudgetSearch:
    """Searches of one picture within budgets in one norm; each is independent of the others.

    `original` is the look at the picture by `goal`, which the file must reach. A search begins at `known` scaled to the
    budget, a changed picture that reaches the goal, and without one at the picture itself.
    """

    def __init__(
        self,
        original: Look,
        goal: Goal,
        spec: Spec,
        *,
        norm: Norm,
        steps: int,
        known: UInt8[Tensor, "3 h w"] | None,
    ) -> None:
        self.original, self.goal, self.norm, self.steps = original, goal, norm, steps
        start = original.pictures
        change = None if known is None else to_float(known).unsqueeze(0) - start
        self.small = reduce(start, norm, spec) if is_reduced(start, norm, spec) else None
        if self.small is not None and change is not None:
            change = self.small.lower(change) - self.small.start
        self.change = change

    def run(self, epsilon: float, *, best_at_deadline: bool) -> Task[tuple[Best, bool]]:
        """The verified result within the budget, and whether a deadline has stopped the search.

        Costs up to `steps` passes with gradients and two without; fewer where steps no longer help. Raises
        DeadlineExceeded if the time is up without `best_at_deadline`.
        """
        small, original = self.small, self.original
        goal = replace(self.goal, confidence=self.goal.confidence - SETTLED)
        if small is not None:
            goal, original = small.goal(goal), replace(original, pictures=small.start)
        best = Best(goal, original.pictures, original)
        stopped = False
        try:
            yield from self._descend(best, epsilon if small is None else epsilon / small.unit)
        except DeadlineExceeded:
            if not best_at_deadline:
                raise
            stopped = True
        verified = Best(self.goal, self.original.pictures, self.original)
        verified.update((yield from self.goal.look(self._rounded(best.pictures, epsilon), gradients=False)))
        return verified, stopped

    def _descend(self, best: Best, epsilon: float) -> Task[None]:
        """Steps of steepest descent, each shorter than the last and projected into the ball."""
        project = projection(self.norm, best.start)
        picture = best.start
        if self.change is not None:
            share = epsilon / size(self.change, self.norm).clamp(min=1e-12)
            picture = project(picture + rows(share) * self.change, epsilon)
        probabilities: list[float] = []
        for step in range(self.steps):
            look = yield from best.goal.look(picture)
            best.update(look)
            yield best.progress(step + 1, self.steps)
            probabilities.append(best.goal.probability(best.logits))
            if _settled(probabilities):
                return
            fall = (1 + math.cos(math.pi * step / self.steps)) / 2
            length = epsilon * (SHORTEST + (LONGEST - SHORTEST) * fall)
            picture = project(picture.sub(steepest(look.gradients, self.norm), alpha=length), epsilon)
        best.update((yield from best.goal.look(picture, gradients=False)))

    def _rounded(self, pictures: Pictures, epsilon: float) -> Pictures:
        """The float result as a file can hold it, with a strength that uses the budget: rounding alters the size."""
        start = self.original.pictures
        change = pictures - start if self.small is None else self.small.lift(pictures)
        rounding = scaled(start, change)
        if self.norm == "linf":  # the budget is a whole number of levels
            return rounding(1.0)
        strength = strongest(rounding, start, by(self.norm), epsilon * (1 - SLACK))
        return rounding(strength) if strength else start


def _settled(probabilities: Sequence[float]) -> bool:
    """Whether the goal is certain, or the last steps have hardly made it more probable."""
    if probabilities[-1] > CERTAIN:
        return True
    return len(probabilities) > PATIENCE and probabilities[-1] - probabilities[-1 - PATIENCE] < GAIN
