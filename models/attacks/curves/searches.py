"""The searches behind a curve: for the smallest change in each norm, and for the best within each budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.geometry import norms as sizes
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.budgets import BudgetSearch
from models.attacks.reduced import LARGE
from models.attacks.task import adversarial
from models.classify import Prediction, rank
from models.gather import gather
from models.preprocessing import to_levels
from models.query import DeadlineExceeded, Progress, Task
from models.relay import relay
from models.spec import Spec

NEAR = 0.01
"""Relative difference to the size of the smallest change below which a budget has no point of its own."""


@dataclass(frozen=True)
class Point:
    """The most successful result that is known within the budget `epsilon`, in units of the norm.

    `original` is the probability of the original class in the 8-bit picture, and `goal` that of the target, or of all
    classes but the original one. `success` says whether the goal is reached. `size` is the norm of the change, and
    `attack` the attack that has found it; a budget that brings nothing has the unchanged picture, with size 0 and None.
    """

    epsilon: float
    original: float
    goal: float
    success: bool
    size: float
    attack: str | None


@dataclass(frozen=True)
class Known:
    """A changed picture, or the unchanged one (`attack` is None), with figures that are verified.

    `norms` are the sizes of the change, `original` and `goal` the probabilities that a `Point` has, and `adversarial`
    is the most probable class.
    """

    picture: UInt8[Tensor, "3 h w"]
    norms: Mapping[str, float]
    success: bool
    original: float
    goal: float
    adversarial: Prediction
    attack: str | None


class Searches:
    """The searches for one picture, and what they have found so far."""

    def __init__(self, picture: UInt8[Tensor, "3 h w"], spec: Spec, original: Look, goal: Goal, rows: int) -> None:
        self.picture, self.spec, self.original, self.goal, self.rows = picture, spec, original, goal, rows
        unchanged = self._to_known(Best(goal, original.pictures, original), None)
        self.known = [unchanged]
        """All that was verified, beginning with the unchanged picture."""
        self.own: dict[str, Known] = {}
        """The result of each norm's own search."""
        self.passes = [goal.passes]
        self.stopped = False
        self._shares: dict[str, float] = {}
        """How much of each search is done."""
        self._verified = False
        """Whether a picture that reaches the goal is verified, by a search that is done or one that still runs."""

    def minimise(self, norms: Sequence[str], options: Mapping[str, Any], *, later: int) -> Task[None]:
        """Search for the smallest change in each norm; `later` is how many searches are still to come after that."""
        options = {**options, "rows": max(1, self.rows // len(norms))}  # the norms share the rows of a query
        yield from self._side_by_side({norm: self._minimise(norm, options) for norm in norms}, later=later)

    def strengthen(self, norm: Norm, budgets: Sequence[float], *, steps: int, best_at_deadline: bool) -> Task[None]:
        """Search within each budget, from the smallest change."""
        smallest = self.smallest(norm)
        known = smallest.picture if smallest is not None and smallest.success else None
        search = BudgetSearch(self.original, self.goal, self.spec, norm=norm, steps=steps, known=known)
        yield from self._side_by_side(
            {str(epsilon): self._strengthen(search, epsilon, best_at_deadline) for epsilon in budgets}
        )

    def smallest(self, norm: str) -> Known | None:
        """The smallest change known in this norm; None if a deadline came before the norm's own search found one."""
        own = self.own.get(norm)
        if own is None or not own.success:
            return own
        return min((known for known in self.known if known.success), key=lambda known: known.norms[norm])

    def points(self, norm: str, budgets: Sequence[float]) -> tuple[Point, ...]:
        """One point for no change, one for each budget, and in place of the next one the smallest change's size."""
        epsilons = {0.0, *budgets}
        if (smallest := self.smallest(norm)) is not None and smallest.success:
            size = smallest.norms[norm]
            epsilons = {epsilon for epsilon in epsilons if not math.isclose(epsilon, size, rel_tol=NEAR)} | {size}
        return tuple(self._point(norm, epsilon) for epsilon in sorted(epsilons))

    def _point(self, norm: str, epsilon: float) -> Point:
        within = [known for known in self.known if known.norms[norm] <= epsilon]
        best = max(within, key=lambda known: (known.success, known.goal))
        return Point(epsilon, best.original, best.goal, best.success, size=best.norms[norm], attack=best.attack)

    def _minimise(self, norm: str, options: Mapping[str, Any]) -> Task[None]:
        result = yield from adversarial(self.picture, self.spec, attack="auto", norm=norm, **options)
        self.passes.append(result.passes)
        self.stopped |= result.stopped
        original = result.original_after.probability
        known = Known(
            picture=result.picture,
            norms=result.norms,
            success=result.success,
            original=original,
            goal=1 - original if result.target is None else result.target.probability,
            adversarial=result.adversarial,
            attack=result.attack,
        )
        self.known.append(known)
        if result.success or not result.stopped:
            self.own[norm] = known

    def _strengthen(self, search: BudgetSearch, epsilon: float, best_at_deadline: bool) -> Task[None]:
        verified, stopped = yield from search.run(epsilon, best_at_deadline=best_at_deadline)
        self.stopped |= stopped
        self.known.append(self._to_known(verified, "pgd"))

    def _to_known(self, best: Best, attack: str | None) -> Known:
        picture = to_levels(best.pictures[0])
        return Known(
            picture=picture,
            norms=sizes(picture, self.picture),
            success=bool(best.won),
            original=best.logits[0].softmax(dim=0)[self.original.logits.argmax()].item(),
            goal=self.goal.probability(best.logits),
            adversarial=rank(best.logits[0], self.spec, top=1)[0],
            attack=attack,
        )

    def _side_by_side(self, searches: Mapping[str, Task[None]], *, later: int = 0) -> Task[None]:
        """Run the searches in shared batches; those of a large photo, which need memory, run one after the other.

        `later` is how many searches are still to come, for the progress.
        """
        total = len(self._shares) + len(searches) + later
        tasks = [self._counted(name, search) for name, search in searches.items()]
        self._shares |= dict.fromkeys(searches, 0.0)
        last = 0

        def merge(_: Sequence[Progress | None]) -> Progress:
            step = round(100 * sum(self._shares.values()) / total)
            return Progress(step, 100, success=self._verified)

        def when_further(report: Progress) -> Progress | None:
            nonlocal last
            further, last = report.step > last, max(report.step, last)
            return report if further else None

        large = self.picture.shape[1] * self.picture.shape[2] >= LARGE
        for group in [[task] for task in tasks] if large else [tasks]:
            yield from relay(gather(group, merge, max_rows=self.rows), when_further)
            if self.stopped:
                raise DeadlineExceeded("time is up")

    def _counted(self, name: str, search: Task[None]) -> Task[None]:
        """The search, with what is done of it in `_shares`."""

        def count(report: Progress) -> Progress:
            self._shares[name] = report.step / report.steps
            self._verified |= bool(report.success)
            return report

        yield from relay(search, count)
        self._shares[name] = 1.0
        self._verified |= any(known.success for known in self.known)
