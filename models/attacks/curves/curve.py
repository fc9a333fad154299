"""How easily a model is fooled about one picture: the smallest change in each norm, and confidence against budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from models.attacks.curves.searches import Known, Point, Searches
from models.attacks.geometry import LEVEL, NORMS, Norm
from models.attacks.goal import Goal
from models.attacks.objectives import SETTLED
from models.attacks.one_label import aimed_at
from models.attacks.options import BadAttack, attack_options
from models.classify import Prediction, rank
from models.effort import Effort
from models.preprocessing import preprocessor, reduction, to_float
from models.query import DeadlineExceeded, Passes, Query, Task
from models.spec import Spec, check_gradients

DRAWN: tuple[Norm, ...] = ("linf", "l2", "l1")
"""Norms in which a curve can be drawn."""
LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Budgets of a curve in Linf, in levels (1/255)."""
MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Budgets of a curve in L2 or L1, in units of the smallest change that wins."""

STEPS: dict[Effort, int] = {"quick": 5, "standard": 10, "thorough": 40}
"""Largest number of steps of PGD within a budget."""


@dataclass(frozen=True)
class Curve:
    """The smallest change that is known in each norm (`smallest`), and `points` in `norm` from a budget of 0 upwards.

    Where no change reaches the goal, `smallest` has the result of the norm's own attack. `stopped` says whether a
    deadline cut the searches short; norms and points may then be missing.
    """

    original: Prediction
    target: Prediction | None
    effort: Effort
    smallest: Mapping[str, Known]
    norm: str
    points: tuple[Point, ...]
    passes: Passes
    stopped: bool


def check_curve(spec: Spec) -> None:
    """Raise BadAttack if no curve can be measured, since the network gives no gradients."""
    check_gradients(spec, "the curve needs them", BadAttack)


def curve(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    norms: Sequence[str] = NORMS,
    norm: str = "l2",
    effort: Effort = "standard",
    steps: int | None = None,
    seed: int = 0,
    rows: int = 4,
    best_at_deadline: bool = False,
) -> Task[Curve]:
    """The smallest change in each of `norms` by `auto`, then PGD within a series of budgets in `norm` (not L0).

    `auto` takes `steps` steps, by default as many as the `effort` needs, and PGD up to half as many from the smallest
    change, by default STEPS. The norms are searched side by side, and then the budgets, as queries of up to `rows`
    pictures. With `best_at_deadline` a task whose time is up returns what is known until then, `stopped` set. Raises
    BadAttack, AlreadyTarget, NoLabel.

    A network of several labels per picture is attacked about one of them, as by `models.attacks.task.adversarial`.
    """
    check_curve(spec)
    if spec.multi_label:
        given = {"norms": norms, "norm": norm, "effort": effort, "steps": steps, "seed": seed, "rows": rows}
        return (yield from _of_one_label(picture, spec, target, {**given, "best_at_deadline": best_at_deadline}))
    drawn = next((each for each in DRAWN if each == norm), None)
    if drawn is None or not norms or set(norms) - set(NORMS):
        raise BadAttack(
            f"norm is {norm!r} and norms are {', '.join(norms) or 'empty'}: the curve is drawn in one of "
            f"{', '.join(DRAWN)}, and the smallest change is looked for in one or more of {', '.join(NORMS)}"
        )
    searched = {"effort": effort, "seed": seed, **({} if steps is None else {"steps": steps})}
    attack_options("auto", norm, searched)  # raises BadAttack before the first query
    start, passes = to_float(picture).unsqueeze(0), Passes()
    answer = yield from passes.ask(Query(preprocessor(spec)(start)))
    label = answer.logits.argmax(dim=1)
    goal = Goal(
        labels=label if target is None else torch.full_like(label, target),
        targeted=target is not None,
        preprocess=preprocessor(spec),
        passes=passes,
        confidence=SETTLED,
        scale=reduction((picture.shape[1], picture.shape[2]), spec),
    )
    searches = Searches(picture, spec, goal.judge(start, answer.logits.unsqueeze(0)), goal, rows)
    searched_norms = list(dict.fromkeys([*norms, norm]))
    budgets: list[float] = []
    try:
        given = {"target": target, "best_at_deadline": best_at_deadline}
        yield from searches.minimise(searched_norms, {**given, **searched}, later=len(MULTIPLES))
        budgets = _budgets(norm, searches.smallest(norm))
        most = STEPS[effort] if steps is None else max(1, steps // 2)
        yield from searches.strengthen(drawn, budgets, steps=most, best_at_deadline=best_at_deadline)
    except DeadlineExceeded:
        if not best_at_deadline:
            raise
        searches.stopped = True
    smallest = {each: searches.smallest(each) for each in searched_norms}
    probabilities = answer.logits[0].softmax(dim=0)
    return Curve(
        original=rank(answer.logits[0], spec, top=1)[0],
        target=None if target is None else Prediction(spec.classes[target], target, probabilities[target].item()),
        effort=effort,
        smallest={each: known for each, known in smallest.items() if known is not None},
        norm=norm,
        points=searches.points(norm, budgets),
        passes=_sum(searches.passes),
        stopped=searches.stopped,
    )


def _of_one_label(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, target: int | None, given: Mapping[str, Any]
) -> Task[Curve]:
    """`curve` for a network of several labels per picture, with its other arguments in `given`."""
    passes = Passes()
    answer = yield from passes.ask(Query(preprocessor(spec)(to_float(picture).unsqueeze(0))))
    label = aimed_at(answer.logits[0], spec, target)
    result = yield from label.attack(curve(picture, label.two_classes, target=None if target is None else 0, **given))
    return replace(
        result,
        original=label.prediction(result.original),
        target=None if result.target is None else label.prediction(result.target),
        smallest={
            norm: replace(known, adversarial=label.prediction(known.adversarial))
            for norm, known in result.smallest.items()
        },
        passes=_sum([passes, result.passes]),
    )


def _budgets(norm: str, smallest: Known | None) -> list[float]:
    if norm == "linf":
        return [levels / 255 for levels in LEVELS]
    if smallest is None or not smallest.success:
        return []
    return [multiple * smallest.norms[norm] for multiple in MULTIPLES if multiple * smallest.norms[norm] >= LEVEL]


def _sum(counts: Sequence[Passes]) -> Passes:
    return Passes(sum(passes.forward for passes in counts), sum(passes.backward for passes in counts))
