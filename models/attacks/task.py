"""The task behind /adversarial and `fool`: attack one picture, and report what a reader of the file sees."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from models.attacks.geometry import Norm, norms
from models.attacks.goal import Goal, Patch
from models.attacks.jpeg import Jpeg
from models.attacks.objectives import SETTLED
from models.attacks.one_label import aimed_at
from models.attacks.options import ATTACKS, BadAttack, attack_options, choose_attack
from models.attacks.search import Search, SearchResult
from models.attacks.survive import Survival, views
from models.classify import Prediction, rank
from models.colour_map import amplified
from models.preprocessing import preprocessor, reduction, to_float, to_levels
from models.query import Passes, Query, Task
from models.spec import Spec


class AlreadyTarget(ValueError):
    """The model takes the unchanged picture for the target class."""


@dataclass(frozen=True)
class Adversarial:
    """The result of an attack on one picture; every figure is of the 8-bit picture that a reader of the file sees.

    `goal` says in words what the model shall see, and `success` whether it does. `picture` is the result, and
    `to_encode` the one to write to the file: they differ only for a JPEG. `original` is the most probable class of the
    upload (`origin`), `adversarial` that of the result. `original_after` is the original class with its probability in
    the result; `target_before` and `target` are the target class with its probability in the upload and in the result,
    None without a target. `norms` are in units of pixel values from 0 to 1 (linf, l2, l1) and in pixels (l0). `survive`
    begins with the file itself. `passes` are the passes of the network, and `stopped` says whether a deadline ended the
    attack.
    """

    attack: str
    norm: str
    goal: str
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
    survive: tuple[Survival, ...]
    patch: Patch | None
    passes: Passes
    stopped: bool

    @property
    def perturbation(self) -> UInt8[Tensor, "3 h w"]:
        """The change, centred on grey and amplified so that its largest value spans the range."""
        return amplified(to_float(self.picture) - to_float(self.origin))


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
    rows: int = 4,
    **options: Any,
) -> Task[Adversarial]:
    """Attack a picture of any size at its own resolution; the result is what an 8-bit file holds, verified.

    The goal is the class with the index `target`, or any class but the one that the model gives the unchanged picture;
    it must lead by `confidence` logits. Without `attack` it is `auto`, or `pgd` if `options`, which are the attack's
    own, have an epsilon. Only pixels where the `mask` is true may change. The result must also win after each of
    `survive`. With `jpeg` the file is a JPEG of that quality, which changes pixels by itself: budget and mask then hold
    for the encoded picture. With `best_at_deadline` a task whose time is up returns its best so far, `stopped` set.
    `rows` is how many pictures of one query pay off on this machine.

    A network of several labels per picture is attacked about one of them: its `target`, which it shall find in the
    changed picture, or the most probable label, which it shall not find any more. All predictions of the result are of
    this label. Raises BadAttack, AlreadyTarget, NoLabel.
    """
    if spec.multi_label:
        given: dict[str, Any] = {"attack": attack, "norm": norm, "confidence": confidence, "mask": mask, **options}
        given |= {"survive": survive, "jpeg": jpeg, "best_at_deadline": best_at_deadline, "rows": rows}
        return (yield from _of_one_label(picture, spec, target, given))
    attack = choose_attack(attack, options, differentiable=spec.differentiable)
    scale = reduction((picture.shape[1], picture.shape[2]), spec)
    chosen_norm, options = attack_options(attack, norm, options, scale=scale)
    _check_mask(mask, picture, attack)
    survive = tuple(survival for survival in survive if jpeg is None or survival.jpeg_quality != jpeg)
    case = _Case(picture, spec, attack, chosen_norm, options, target, confidence, mask, survive, jpeg, scale)
    passes = Passes()
    answer = yield from passes.ask(Query(preprocessor(spec)(case.start)))
    goal = case.goal(answer.logits.argmax(dim=1), passes, rows)
    result = yield from case.search(goal, answer.logits).run(best_at_deadline=best_at_deadline)
    return case.report(answer.logits, result, passes)


def _of_one_label(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, target: int | None, given: Mapping[str, Any]
) -> Task[Adversarial]:
    """`adversarial` for a network of several labels per picture, with its other arguments in `given`."""
    passes = Passes()
    answer = yield from passes.ask(Query(preprocessor(spec)(to_float(picture).unsqueeze(0))))
    label = aimed_at(answer.logits[0], spec, target)
    inner_target = None if target is None else 0
    result = yield from label.attack(adversarial(picture, label.two_classes, target=inner_target, **given))
    return replace(
        result,
        goal=f"the probability of {label.name!r} is {'below' if target is None else 'above'} 0.5"
        + _lead(given["confidence"]),
        original=label.prediction(result.original),
        original_after=label.prediction(result.original_after),
        adversarial=label.prediction(result.adversarial),
        target_before=None if result.target_before is None else label.prediction(result.target_before),
        target=None if result.target is None else label.prediction(result.target),
        passes=Passes(passes.forward + result.passes.forward, result.passes.backward),
    )


def _check_mask(mask: Tensor | None, picture: Tensor, attack: str) -> None:
    if mask is not None and not ATTACKS[attack].takes_mask:
        raise BadAttack(f"{attack} chooses its own pixels: leave out the mask and the box")
    if mask is not None and mask.shape != picture.shape[1:]:
        raise BadAttack(f"the mask is {tuple(mask.shape)}, and the picture {tuple(picture.shape[1:])}")


@dataclass(frozen=True)
class _Case:
    """The parameters of `adversarial`, checked and with defaults filled in; `survive` does not list the file itself."""

    picture: UInt8[Tensor, "3 h w"]
    spec: Spec
    attack: str
    norm: Norm
    options: Mapping[str, Any]
    target: int | None
    confidence: float
    mask: Bool[Tensor, "h w"] | None
    survive: tuple[Survival, ...]
    jpeg: int | None
    scale: float

    @property
    def start(self) -> Float[Tensor, "1 3 h w"]:
        return to_float(self.picture).unsqueeze(0)

    def goal(self, label: Int[Tensor, " 1"], passes: Passes, rows: int) -> Goal:
        """What the verified result must reach, from the class of the unchanged picture; raises AlreadyTarget."""
        if self.target is not None and self.target == label.item():
            raise AlreadyTarget(
                f"the model already classifies the picture as {self.spec.classes[self.target]!r}: choose another target"
            )
        return Goal(
            labels=label if self.target is None else torch.full_like(label, self.target),
            targeted=self.target is not None,
            preprocess=preprocessor(self.spec),
            passes=passes,
            confidence=self.confidence + SETTLED,
            mask=None if self.mask is None else self.mask.to(self.picture.device, torch.float32)[None, None],
            views=views(self.survive, real=True, jpeg=self.jpeg),
            scale=self.scale,
            rows=rows,
        )

    def search(self, goal: Goal, logits: Float[Tensor, "1 k"]) -> Search:
        """The search for that goal, from the logits of the unchanged picture."""
        attack = ATTACKS[self.attack]
        in_levels = self.norm == "linf" and not attack.minimal
        soft = views(self.survive, real=False, jpeg=self.jpeg)
        # A JPEG's encoder rounds by itself.
        soft_goal = replace(goal, views=soft, rounds=in_levels and self.jpeg is None)
        original = goal.judge(self.start, logits.unsqueeze(0))
        return Search.of(attack, self.norm, self.options, original, self.spec, goal=soft_goal, real=goal)

    def report(self, before: Float[Tensor, "1 k"], result: SearchResult, passes: Passes) -> Adversarial:
        """The search's result, beside the logits of the unchanged picture."""
        best, spec, label, target = result.best, self.spec, int(before.argmax()), self.target
        aim = spec.classes[label if target is None else target]
        to_encode = to_levels(best.pictures[0])
        picture = to_encode if self.jpeg is None else to_levels(Jpeg(self.jpeg)(best.pictures)[0])
        return Adversarial(
            attack=self.attack,
            norm=self.norm,
            goal=f"the class is {'not ' if target is None else ''}{aim!r}" + _lead(self.confidence),
            success=bool(best.won),
            original=rank(before[0], spec, top=1)[0],
            original_after=_prediction(best.logits[0], spec, label),
            adversarial=rank(best.logits[0], spec, top=1)[0],
            target_before=None if target is None else _prediction(before[0], spec, target),
            target=None if target is None else _prediction(best.logits[0], spec, target),
            norms=norms(picture, self.picture),
            origin=self.picture,
            picture=picture,
            to_encode=to_encode,
            options={**self.options, "norm": self.norm, "confidence": self.confidence},
            survive=(Survival.png() if self.jpeg is None else Survival.jpeg(self.jpeg), *self.survive),
            patch=result.patch,
            passes=passes,
            stopped=result.stopped,
        )


def _lead(confidence: float) -> str:
    return f", by {confidence:g} logits" if confidence else ""


def _prediction(logits: Float[Tensor, " k"], spec: Spec, index: int) -> Prediction:
    return Prediction(spec.classes[index], index, logits.softmax(dim=0)[index].item())
