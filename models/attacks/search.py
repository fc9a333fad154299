"""From a picture to its verified best: the float attack at the size that suits it, then the search on the lattice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.attacks.geometry import Norm, by, in_levels, lattice_epsilon
from models.attacks.goal import Best, Goal, Look
from models.attacks.lattice import at_once, settle
from models.attacks.objectives import SETTLED
from models.attacks.options import Attack
from models.attacks.reduced import Reduced, is_reduced, reduce
from models.query import DeadlineExceeded, Task
from models.relay import relay
from models.spec import Spec


@dataclass(frozen=True)
class Search:
    """The float attack, of a large photo on a small picture in its place, and then the lattice: `kept` is its best."""

    attack: Attack
    norm: Norm
    options: Mapping[str, Any]
    epsilon: float | None
    best: Best
    kept: Best
    small: Reduced | None

    @staticmethod
    def of(
        attack: Attack, norm: Norm, options: Mapping[str, Any], original: Look, spec: Spec, *, goal: Goal, real: Goal
    ) -> "Search":
        """From the original, the goal that is differentiated, and the `real` one that sees what becomes of the file."""
        epsilon: float | None = None if attack.minimal else options.get("epsilon", math.inf)
        if norm == "linf" and not attack.minimal:
            epsilon = lattice_epsilon(options["epsilon"])
        start = original.pictures
        kept = Best(real, start, original, measure=in_levels(norm) if attack.minimal else None)
        goal = replace(goal, confidence=real.confidence - SETTLED)
        small = None
        if is_reduced(start, norm, spec) and real.mask is None and not real.views:
            small = reduce(start, norm, spec)
            goal, start = small.goal(goal), small.start
        best = Best(goal, start, replace(original, pictures=start), measure=by(norm) if attack.minimal else None)
        return Search(attack, norm, options, epsilon, best, kept, small)

    def run(self) -> Task[Any]:
        """All of it; returns what the attack returns, which is `found` of a DeadlineExceeded that comes after."""
        if self.kept.goal.views:  # what is compared with the original is the mean over all views
            look = yield from self.kept.goal.look(self.kept.start, gradients=False)
            for each in (self.kept, self.best):
                each.logits, each.loss = look.logits, look.loss
        task = self.attack.run(self.best.start, self.best.goal, self.best, **self._own_options())
        found = yield from task if self.small is None else relay(task, self.small.retell)
        try:
            yield from settle(
                self._found(), self.kept, norm=self.norm, epsilon=self.epsilon, black_box=self.attack.black_box
            )
        except DeadlineExceeded as late:
            late.found = found
            raise
        return found

    def _own_options(self) -> dict[str, Any]:
        """A budget in whole levels, and what is in the norm's unit in that of the small picture."""
        options = dict(self.options)
        if self.epsilon is None or "epsilon" not in options:
            return options
        options["epsilon"] = self.epsilon
        for name in ("epsilon", "step_size"):
            if self.small is not None and options.get(name) is not None:
                options[name] /= self.small.unit
        return options

    def hurry(self) -> Task[None]:
        """When time is up: what was found until then, unless something smaller is kept already."""
        if not self.kept.won:
            yield from at_once(self._found(), self.kept, norm=self.norm, epsilon=self.epsilon)

    def _found(self) -> Best:
        """The float attack's best at the upload's size; what is lifted is yet to be verified."""
        best, kept = self.best, self.kept
        if self.small is None:
            return best
        lifted = Best(kept.goal, kept.start, Look(kept.start, best.logits, best.loss, best.loss, best.won, None))
        lifted.pictures = (kept.start + self.small.lift(best.pictures)).clamp(0, 1)
        return lifted
