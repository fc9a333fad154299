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
from models.attacks.survive import Survival, views
from models.query import Task
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
        attack: Attack,
        norm: Norm,
        options: Mapping[str, Any],
        real: Goal,
        original: Look,
        spec: Spec,
        survive: tuple[Survival, ...],
    ) -> "Search":
        """From the goal that looks at what becomes of the file, and the original as it sees it."""
        epsilon: float | None = None if attack.minimal else options.get("epsilon", math.inf)
        in_levels_alone = norm == "linf" and not attack.minimal
        if in_levels_alone:
            epsilon = lattice_epsilon(options["epsilon"])
        start = original.pictures
        kept = Best(real, start, original, measure=in_levels(norm) if attack.minimal else None)
        goal = replace(
            real, confidence=real.confidence - SETTLED, views=views(survive, real=False, rounded=in_levels_alone)
        )
        small = None
        if is_reduced(start, norm, spec) and real.mask is None and not survive:
            small = reduce(start, norm, spec)
            goal, start = small.goal(goal), small.start
        best = Best(goal, start, replace(original, pictures=start), measure=by(norm) if attack.minimal else None)
        return Search(attack, norm, options, epsilon, best, kept, small)

    def run(self) -> Task[Any]:
        """All of it; returns what the attack returns."""
        options = dict(self.options)
        if self.epsilon is not None and "epsilon" in options:
            options["epsilon"] = self.epsilon if self.small is None else self.epsilon / self.small.unit
        task = self.attack.run(self.best.start, self.best.goal, self.best, **options)
        found = yield from task if self.small is None else relay(task, self.small.retell)
        yield from settle(
            self._found(), self.kept, norm=self.norm, epsilon=self.epsilon, black_box=self.attack.black_box
        )
        return found

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
