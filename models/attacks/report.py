"""The task behind /adversarial: attack one picture and tell exactly what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from models.attacks.geometry import LEVEL, by, in_levels, lattice_epsilon, norms
from models.attacks.goal import Best, Goal
from models.attacks.lattice import at_once, settle
from models.attacks.objectives import SETTLED
from models.attacks.options import ATTACKS, attack_options
from models.attacks.survive import Survival, views
from models.classify import Prediction, rank
from models.preprocessing import preprocessor, to_float, to_levels
from models.query import DeadlineExceeded, Passes, Query, Task
from models.spec import Spec


class AlreadyTarget(ValueError):
    """The model takes the picture for the target as it is."""


@dataclass(frozen=True)
class Adversarial:
    """What an attack on one picture came to; every figure is of the 8-bit picture.

    `original` is the model's verdict on the upload, `adversarial` that on the result; `original_after` is what is left
    of the first, and `target_before` and `target` are the target's two probabilities, None where any other class would
    do. `norms` are in pixel units (linf, l2, l1) and pixels (l0).
    """

    attack: str
    norm: str
    success: bool
    original: Prediction
    original_after: Prediction
    adversarial: Prediction
    target_before: Prediction | None
    target: Prediction | None
    norms: Mapping[str, float]
    origin: UInt8[Tensor, "3 h w"]
    picture: UInt8[Tensor, "3 h w"]
    options: Mapping[str, Any]
    survive: tuple[str, ...]
    passes: Passes
    stopped: bool

    @property
    def perturbation(self) -> UInt8[Tensor, "3 h w"]:
        """The change, centred on grey and amplified so that its largest value spans the range."""
        change = to_float(self.picture) - to_float(self.origin)
        return to_levels(0.5 + change / (2 * max(change.abs().max().item(), LEVEL)))


def adversarial(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    attack: str = "pgd",
    norm: str | None = None,
    confidence: float = 0.0,
    mask: Bool[Tensor, "h w"] | None = None,
    survive: tuple[Survival, ...] = (),
    best_at_deadline: bool = False,
    **given: Any,
) -> Task[Adversarial]:
    """Attack a picture of any size at its own resolution; the result is what an 8-bit file holds, verified.

    The class to leave is what the model says of the original. `confidence` is by how many logits the goal must lead;
    only pixels where the `mask` is true change; `survive` is what may happen to the file. `given` are the attack's own
    options. With `best_at_deadline` a task whose time is up returns its best so far, `stopped` set.
    Raises BadAttack, AlreadyTarget.
    """
    chosen, options = attack_options(attack, norm, given)
    entry = ATTACKS[attack]
    start, preprocess, passes = to_float(picture).unsqueeze(0), preprocessor(spec), Passes()
    seen = yield from passes.ask(Query(preprocess(start)))
    present = seen.logits.argmax(dim=1)
    if target is not None and target == present.item():
        raise AlreadyTarget(f"the model takes the picture for {spec.classes[target]!r} as it is: choose another target")
    real = Goal(
        labels=present if target is None else torch.full_like(present, target),
        targeted=target is not None,
        preprocess=preprocess,
        passes=passes,
        confidence=confidence + SETTLED,
        mask=None if mask is None else mask.to(start.dtype)[None, None],
        views=views(survive, real=True),
        scale=min(picture.shape[1:]) / spec.resize,
    )
    budget = None if entry.minimal else options["epsilon"]
    if chosen == "linf" and budget is not None:
        budget = lattice_epsilon(budget)
        options_in_levels = options | {"epsilon": budget}
    else:
        options_in_levels = options
    goal = replace(
        real, confidence=confidence, views=views(survive, real=False, rounded=chosen == "linf" and budget is not None)
    )
    original = real.judge(start, seen.logits.unsqueeze(0))
    best = Best(goal, start, original, measure=by(chosen) if entry.minimal else None)
    kept = Best(real, start, original, measure=in_levels(chosen) if entry.minimal else None)
    stopped = False
    try:
        yield from entry.run(start, goal, best, **options_in_levels)
        yield from settle(best, kept, norm=chosen, epsilon=budget)
    except DeadlineExceeded:
        if not best_at_deadline:
            raise
        stopped = True
        if not kept.won:
            yield from at_once(best, kept, norm=chosen, epsilon=budget)
    result = to_levels(kept.pictures[0])
    return Adversarial(
        attack=attack,
        norm=chosen,
        success=bool(kept.won),
        original=rank(seen.logits[0], spec, top=1)[0],
        original_after=_prediction(kept.logits[0], spec, int(present)),
        adversarial=rank(kept.logits[0], spec, top=1)[0],
        target_before=None if target is None else _prediction(seen.logits[0], spec, target),
        target=None if target is None else _prediction(kept.logits[0], spec, target),
        norms=norms(result, picture),
        origin=picture,
        picture=result,
        options={**options, "norm": chosen},
        survive=tuple(each.name for each in survive),
        passes=passes,
        stopped=stopped,
    )


def _prediction(logits: Tensor, spec: Spec, index: int) -> Prediction:
    return Prediction(spec.classes[index], index, logits.softmax(dim=0)[index].item())
