"""The task behind /adversarial: attack one picture and tell exactly what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from models.attacks.geometry import LEVEL, norms
from models.attacks.goal import Goal
from models.attacks.jpeg import Jpeg
from models.attacks.methods.patch import Patch
from models.attacks.objectives import SETTLED
from models.attacks.options import ATTACKS, BadAttack, attack_options, choose_attack
from models.attacks.search import Search
from models.attacks.survive import Survival, views
from models.classify import Prediction, rank
from models.preprocessing import preprocessor, to_float, to_levels
from models.query import DeadlineExceeded, Passes, Query, Task
from models.spec import Spec


class AlreadyTarget(ValueError):
    """The model takes the picture for the target as it is."""


@dataclass(frozen=True)
class Adversarial:
    """What an attack on one picture came to; every figure is of the 8-bit picture that a reader of the file sees.

    `picture` is that picture, and `to_encode` what is written to the file: another only where that is a JPEG.
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
    to_encode: UInt8[Tensor, "3 h w"]
    options: Mapping[str, Any]
    survive: tuple[str, ...]
    patch: Patch | None
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
    attack: str | None = None,
    norm: str | None = None,
    confidence: float = 0.0,
    mask: Bool[Tensor, "h w"] | None = None,
    survive: tuple[Survival, ...] = (),
    jpeg: int | None = None,
    best_at_deadline: bool = False,
    **given: Any,
) -> Task[Adversarial]:
    """Attack a picture of any size at its own resolution; the result is what an 8-bit file holds, verified.

    Without an attack it is `auto`, or `pgd` where an epsilon is given. The class to leave is what the model says of the
    original. `confidence` is by how many logits the goal must lead; only pixels where the `mask` is true change;
    `survive` is what may happen to the file. With `jpeg` the file is a JPEG of that quality, which changes pixels by
    itself: budget and mask hold for what is encoded. `given` are the attack's own options. With `best_at_deadline` a
    task whose time is up returns its best so far, `stopped` set.
    Raises BadAttack, AlreadyTarget.
    """
    attack, scale = choose_attack(attack, given), min(picture.shape[1:]) / spec.resize
    chosen, options = attack_options(attack, norm, given, scale=scale)
    _check_mask(mask, picture, attack)
    survive = tuple(each for each in survive if each.name != f"jpeg:{jpeg}")  # the file itself is one
    start, passes = to_float(picture).unsqueeze(0), Passes()
    preprocess = preprocessor(spec)
    seen = yield from passes.ask(Query(preprocess(start)))
    present = seen.logits.argmax(dim=1)
    if target is not None and target == present.item():
        raise AlreadyTarget(f"the model takes the picture for {spec.classes[target]!r} as it is: choose another target")
    # What is returned must win beyond rounding's reach, through all that really happens to the file.
    goal = Goal(
        labels=present if target is None else torch.full_like(present, target),
        targeted=target is not None,
        preprocess=preprocess,
        passes=passes,
        confidence=confidence + SETTLED,
        mask=None if mask is None else mask.to(start)[None, None],
        views=views(survive, real=True, jpeg=jpeg),
        scale=scale,
    )
    original = goal.judge(start, seen.logits.unsqueeze(0))
    soft = views(survive, real=False, jpeg=jpeg, in_levels=chosen == "linf" and not ATTACKS[attack].minimal)
    search = Search.of(ATTACKS[attack], chosen, options, original, spec, goal=replace(goal, views=soft), real=goal)
    patch, stopped = None, False
    try:
        patch = yield from search.run()
    except DeadlineExceeded as late:
        if not best_at_deadline:
            raise
        patch, stopped = late.found, True
        yield from search.hurry()
    kept = search.kept
    result = to_levels(kept.pictures[0] if jpeg is None else Jpeg(jpeg)(kept.pictures)[0])
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
        to_encode=to_levels(kept.pictures[0]),
        options={**options, "norm": chosen, "confidence": confidence},
        survive=("png" if jpeg is None else f"jpeg:{jpeg}", *(each.name for each in survive)),
        patch=patch,
        passes=passes,
        stopped=stopped,
    )


def _check_mask(mask: Tensor | None, picture: Tensor, attack: str) -> None:
    if mask is not None and not ATTACKS[attack].takes_mask:
        raise BadAttack(f"{attack} chooses its own pixels: leave out the mask and the box")
    if mask is not None and mask.shape != picture.shape[1:]:
        raise BadAttack(f"the mask is {tuple(mask.shape)}, and the picture {tuple(picture.shape[1:])}")


def _prediction(logits: Tensor, spec: Spec, index: int) -> Prediction:
    return Prediction(spec.classes[index], index, logits.softmax(dim=0)[index].item())
