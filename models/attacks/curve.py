"""How easily a model is fooled about one picture: the smallest change in each norm, and confidence against budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.geometry import LEVEL, NORMS
from models.attacks.options import BadAttack
from models.attacks.task import Adversarial, adversarial
from models.classify import Prediction
from models.query import DeadlineExceeded, Passes, Progress, Task
from models.relay import relay
from models.spec import Spec

DRAWN = ("linf", "l2", "l1")
"""Norms in which a curve can be drawn."""
LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Budgets of a curve in Linf, in levels (1/255)."""
MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Budgets of a curve in L2 or L1, in units of the smallest change that wins."""


@dataclass(frozen=True)
class Point:
    """The result of PGD within the budget `epsilon`, in units of the norm: two probabilities of the 8-bit picture.

    `original` is the probability of the original class, and `goal` that of the target, or of all classes but the
    original one. `success` says whether the goal is reached.
    """

    epsilon: float
    original: float
    goal: float
    success: bool


@dataclass(frozen=True)
class Curve:
    """One verified result per norm (`smallest`), and `points` in `norm` from a budget of 0 to the largest.

    `stopped` says whether a deadline cut it short; norms and points may then be missing.
    """

    original: Prediction
    target: Prediction | None
    smallest: Mapping[str, Adversarial]
    norm: str
    points: tuple[Point, ...]
    passes: Passes
    stopped: bool


def curve(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    norms: Sequence[str] = NORMS,
    norm: str = "l2",
    steps: int = 40,
    seed: int = 0,
    best_at_deadline: bool = False,
) -> Task[Curve]:
    """The smallest change in each of `norms` by `auto`, then PGD within a series of budgets in `norm` (not L0).

    Each attack takes `steps` steps. With `best_at_deadline` a task whose time is up returns the attacks that are
    complete, and the smallest change so far of one that was cut short, `stopped` set.
    Raises BadAttack, AlreadyTarget.
    """
    if norm not in DRAWN or not norms or set(norms) - set(NORMS):
        raise BadAttack(
            f"norm is {norm!r} and norms are {', '.join(norms) or 'empty'}: the curve is drawn in one of "
            f"{', '.join(DRAWN)}, and the smallest change is looked for in one or more of {', '.join(NORMS)}"
        )
    searched_norms = list(dict.fromkeys([*norms, norm]))
    total = len(searched_norms) + len(LEVELS)
    shared = {"target": target, "steps": steps, "seed": seed, "best_at_deadline": best_at_deadline}
    attempts = _Attempts(picture, spec, shared)
    points: list[Point] = []
    stopped = False
    try:
        for searched_norm in searched_norms:
            yield from attempts.run("auto", searched_norm)
            yield Progress(len(attempts.results), total)
        for epsilon in _budgets(norm, attempts.smallest[norm]):
            points.append(_point(epsilon, (yield from attempts.run("pgd", norm, epsilon=epsilon))))
            yield Progress(len(attempts.results), total)
    except DeadlineExceeded:
        if not best_at_deadline or not attempts.results:
            raise
        stopped = True
    first = attempts.results[0]
    return Curve(
        original=first.original,
        target=first.target_before,
        smallest=attempts.smallest,
        norm=norm,
        points=(_point_without_budget(first), *points),
        passes=_sum([result.passes for result in attempts.results]),
        stopped=stopped,
    )


@dataclass
class _Attempts:
    """One attack after another on one picture; `smallest` holds the results of `auto` by norm.

    An attack that was stopped before it won is not in `smallest`.
    """

    picture: UInt8[Tensor, "3 h w"]
    spec: Spec
    shared: Mapping[str, Any]
    smallest: dict[str, Adversarial] = field(default_factory=dict)
    results: list[Adversarial] = field(default_factory=list)

    def run(self, attack: str, norm: str, **options: Any) -> Task[Adversarial]:
        """Run the next attack; if a deadline stops it, its result is recorded before DeadlineExceeded is raised."""
        task = adversarial(self.picture, self.spec, attack=attack, norm=norm, **self.shared, **options)
        result = yield from relay(task, lambda report: None)  # the progress of a curve counts whole attacks
        assert result is not None, "the attack was not ended early"
        self.results.append(result)
        if attack == "auto" and (result.success or not result.stopped):
            self.smallest[norm] = result
        if result.stopped:
            raise DeadlineExceeded("time is up")
        return result


def _budgets(norm: str, smallest: Adversarial) -> list[float]:
    if norm == "linf":
        return [levels * LEVEL for levels in LEVELS]
    if not smallest.success:
        return []
    return [multiple * smallest.norms[norm] for multiple in MULTIPLES if multiple * smallest.norms[norm] >= LEVEL]


def _point(epsilon: float, result: Adversarial) -> Point:
    original = result.original_after.probability
    goal = 1 - original if result.target is None else result.target.probability
    return Point(epsilon, original, goal, result.success)


def _point_without_budget(result: Adversarial) -> Point:
    original = result.original.probability
    goal = 1 - original if result.target_before is None else result.target_before.probability
    return Point(0.0, original, goal, False)


def _sum(counts: Sequence[Passes]) -> Passes:
    return Passes(sum(passes.forward for passes in counts), sum(passes.backward for passes in counts))
