"""From a picture to its verified result: the float attack at the size that suits it, then the search on the lattice."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.attacks.geometry import Norm, by, in_levels, lattice_epsilon
from models.attacks.goal import Best, Goal, Look, Patch
from models.attacks.lattice import Candidate, round_quickly, round_until_won, search_lattice
from models.attacks.objectives import SETTLED
from models.attacks.options import Attack
from models.attacks.reduced import Reduced, is_reduced, reduce
from models.query import DeadlineExceeded, Progress, Task
from models.relay import relay
from models.spec import Spec


@dataclass(frozen=True)
class SearchResult:
    """The best picture that was verified, the square of a patch attack, and whether a deadline stopped the search."""

    best: Best
    patch: Patch | None
    stopped: bool


@dataclass(frozen=True)
class Search:
    """A float attack and, after it, the search on the lattice.

    `float_best` is the attack's best, at the size of a small picture if `small` stands for a large photo. `verified` is
    the best that the lattice search has verified, at the picture's own size.
    """

    attack: Attack
    norm: Norm
    options: Mapping[str, Any]
    epsilon: float | None
    float_best: Best
    verified: Best
    small: Reduced | None

    @staticmethod
    def of(
        attack: Attack,
        norm: Norm,
        options: Mapping[str, Any],
        original: Look,
        spec: Spec,
        *,
        goal: Goal,
        real: Goal,
    ) -> "Search":
        """Set up a search: `original` is the look at the upload, `goal` is what the float attack differentiates.

        The `real` goal judges a picture by what its file shows.
        """
        epsilon: float | None = None if attack.minimal else options.get("epsilon", math.inf)
        if norm == "linf" and not attack.minimal:
            epsilon = lattice_epsilon(options["epsilon"])
        start = original.pictures
        verified = Best(real, start, original, measure=in_levels(norm) if attack.minimal else None)
        goal = replace(goal, confidence=real.confidence - SETTLED)
        small = None
        if is_reduced(start, norm, spec) and real.mask is None and not real.views:
            small = reduce(start, norm, spec)
            goal, start = small.goal(goal), small.start
        original = replace(original, pictures=start)
        float_best = Best(goal, start, original, measure=by(norm) if attack.minimal else None)
        return Search(attack, norm, options, epsilon, float_best, verified, small)

    def run(self, *, best_at_deadline: bool) -> Task[SearchResult]:
        """Run the whole search; with `best_at_deadline`, if its time is up, return the best so far with `stopped` set.

        Raises DeadlineExceeded if the time is up without `best_at_deadline`.
        """
        stopped = False
        try:
            yield from self._attack_and_verify()
        except DeadlineExceeded:
            if not best_at_deadline:
                raise
            stopped = True
            if self.epsilon is None or not self.verified.all_won:
                yield from round_quickly(self._candidate(), self.verified, norm=self.norm, epsilon=self.epsilon)
        return SearchResult(self.verified, self.float_best.patch, stopped)

    def _attack_and_verify(self) -> Task[None]:
        if self.verified.goal.views:  # results are compared with the original by the mean over all views
            look = yield from self.verified.goal.look(self.verified.start, gradients=False)
            self.verified.rescore(look)
            self.float_best.rescore(look)
        best, first = self.float_best, self.options.get("stop") == "first"
        attack = self.attack.run(best.start, best.goal, best, **self._attack_options())
        if first:
            best.confirmed = False
        soon = self._verify_soon(again=first) if first or self.attack.minimal else None
        yield from relay(attack, self._report, before_report=soon)
        if first and self.verified.all_won:
            return
        black_box = self.attack.black_box
        # On a CPU a row more takes nearly a row's time, and having fewer queries does not make up for it.
        rows = 1 if best.start.device.type == "cpu" else self.verified.goal.rows
        yield from search_lattice(
            self._candidate(),
            self.verified,
            norm=self.norm,
            epsilon=self.epsilon,
            black_box=black_box,
            rows=rows,
            quick=self.options.get("effort") == "quick",
        )

    def _verify_soon(self, *, again: bool) -> Callable[[], Task[None]]:
        """A task for after each step: it verifies the attack's first success, so that little is lost at a deadline.

        With `again` it verifies the later ones too, until one is confirmed.
        """
        best, looked_at = self.float_best, self.float_best.pictures

        def verify() -> Task[None]:
            nonlocal looked_at
            tried = looked_at is not best.start and not again
            if self.verified.all_won or tried or not best.all_won or best.pictures is looked_at:
                return
            looked_at = best.pictures
            yield from round_until_won(self._candidate(), self.verified, norm=self.norm, epsilon=self.epsilon)
            if best.confirmed is False:
                best.confirmed = self.verified.all_won

        return verify

    def _report(self, report: Progress) -> Progress:
        """The attack's report, with the verified success, and for a large photo with what the model sees."""
        if self.small is not None:
            report = self.small.show_model_input(report)
        return report.with_success(self.verified.all_won)

    def _attack_options(self) -> dict[str, Any]:
        """The options with a budget in whole levels, lengths converted to the unit of the small picture."""
        options = dict(self.options)
        if self.epsilon is None or "epsilon" not in options:
            return options
        options["epsilon"] = self.epsilon
        for name in ("epsilon", "step_size"):
            if self.small is not None and options.get(name) is not None:
                options[name] /= self.small.unit
        return options

    def _candidate(self) -> Candidate:
        """The float attack's best at the picture's own size, yet to be verified."""
        best = self.float_best
        pictures = best.pictures
        if self.small is not None:
            pictures = (self.verified.start + self.small.lift(pictures)).clamp(0, 1)
        return Candidate(pictures, best.all_won)
