"""How easily one picture is fooled: the smallest change in each norm, and confidence against budget."""

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
"""Norms of a curve."""
LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Budgets of a curve in Linf, in levels of 255."""
MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Budgets of a curve in L2 or L1, in units of the smallest change that wins."""


@dataclass(frozen=True)
class Point:
    """What PGD makes of the picture within a budget, as a file holds it: the two probabilities, and whether it wins.

    `goal` is the target's probability, or that of all classes but the original's.
    """

    epsilon: float
    original: float
    goal: float
    success: bool


@dataclass(frozen=True)
class Curve:
    """`smallest` has one verified result per norm; `points` go from no budget at all to the largest, in `norm`."""

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
    """The smallest change in each of `norms` by `auto`, then PGD within a row of budgets in `norm` (not L0).

    Each takes `steps` steps. With `best_at_deadline` what is known when time is up is returned, `stopped` set; the
    smallest change that was found until then is among it.
    Raises BadAttack, AlreadyTarget.
    """
    if norm not in DRAWN or not norms or set(norms) - set(NORMS):
        raise BadAttack(
            f"the curve is drawn in one of {', '.join(DRAWN)}, and the smallest change is looked for in one or more of "
            f"{', '.join(NORMS)}"
        )
    wanted = list(dict.fromkeys([*norms, norm]))
    total = len(wanted) + len(LEVELS)
    shared = {"target": target, "steps": steps, "seed": seed, "best_at_deadline": best_at_deadline}
    done = _Attempts(picture, spec, shared)
    points: list[Point] = []
    stopped = False
    try:
        for each in wanted:
            yield from done.run("auto", each)
            yield Progress(len(done.results), total)
        for epsilon in _budgets(norm, done.smallest[norm]):
            points.append(_point(epsilon, (yield from done.run("pgd", norm, epsilon=epsilon))))
            yield Progress(len(done.results), total)
    except DeadlineExceeded:
        if not best_at_deadline or not done.results:
            raise
        stopped = True
    first = done.results[0]
    return Curve(
        original=first.original,
        target=first.target_before,
        smallest=done.smallest,
        norm=norm,
        points=(_start(first), *points),
        passes=_sum([result.passes for result in done.results]),
        stopped=stopped,
    )


@dataclass
class _Attempts:
    """One attack after another on one picture; `smallest` has those of `auto` that came to something, by norm."""

    picture: UInt8[Tensor, "3 h w"]
    spec: Spec
    shared: Mapping[str, Any]
    smallest: dict[str, Adversarial] = field(default_factory=dict)
    results: list[Adversarial] = field(default_factory=list)

    def run(self, attack: str, norm: str, **options: Any) -> Task[Adversarial]:
        """The next one; when its time is up its best is kept, and DeadlineExceeded goes on."""
        task = adversarial(self.picture, self.spec, attack=attack, norm=norm, **self.shared, **options)
        result = yield from relay(task, lambda said: None)  # whoever waits for a curve counts attacks
        assert result is not None, "it was not ended early"
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
    left = result.original_after.probability
    goal = 1 - left if result.target is None else result.target.probability
    return Point(epsilon, left, goal, result.success)


def _start(result: Adversarial) -> Point:
    here = result.original.probability
    goal = 1 - here if result.target_before is None else result.target_before.probability
    return Point(0.0, here, goal, False)


def _sum(passes: Sequence[Passes]) -> Passes:
    return Passes(sum(each.forward for each in passes), sum(each.backward for each in passes))
