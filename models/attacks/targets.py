"""The classes to which a picture is nearest, towards which a targeted attack needs the smallest change."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from models.attacks.geometry import by
from models.attacks.goal import Best, Goal
from models.attacks.methods.deepfool import deepfool
from models.attacks.one_label import Label
from models.attacks.options import BadAttack
from models.classify import Prediction, rank
from models.gather import gather
from models.preprocessing import preprocess, to_float
from models.query import Passes, Progress, Query, Task
from models.spec import Spec, check_gradients


@dataclass(frozen=True)
class NearClass:
    """A class and its probability for the unchanged picture.

    `distance` is the L2 norm of DeepFool's change towards the class, infinite if DeepFool does not reach it.
    """

    label: str
    index: int
    probability: float
    distance: float


@dataclass(frozen=True)
class NearClasses:
    """The most probable class of the picture, and the classes around it, nearest first."""

    original: Prediction
    nearest: tuple[NearClass, ...]
    passes: Passes


def check_targets(spec: Spec) -> None:
    """Raise BadAttack if no targets can be suggested, since the network gives no gradients."""
    check_gradients(spec, "DeepFool needs them", BadAttack)


def suggest_targets(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, *, top: int = 5, candidates: int = 10, steps: int = 20
) -> Task[NearClasses]:
    """The `top` classes nearest to a picture by DeepFool's distance, of the `candidates` most probable other classes.

    The distance is the L2 of a targeted DeepFool (Moosavi-Dezfooli et al. 2016, arxiv.org/abs/1511.04599) at the
    model's own resolution: which class is nearest hardly depends on the picture's size, and a photo of many megapixels
    costs no more. All candidates are rows of one batch. Costs up to candidates x steps passes with gradients. Of a
    network of several labels per picture, the candidates are labels that it does not find. Raises BadAttack.
    """
    check_targets(spec)
    passes = Passes()
    small = preprocess(to_float(picture).unsqueeze(0), spec)
    answer = yield from passes.ask(Query(small))
    original, *others = ranked = rank(answer.logits[0], spec, top=len(spec.classes))
    if spec.multi_label:  # the most probable label too, if the network does not find it
        others = [label for label in ranked if answer.logits[0, label.index] < 0]
    others = others[:candidates]
    if spec.multi_label:
        searches = [_towards_label(Label(spec, other.index), small, answer.logits, passes, steps) for other in others]
        distances = yield from gather(searches, _latest)
    else:
        labels = torch.tensor([other.index for other in others], device=small.device)
        distances = yield from _distances(small, answer.logits, labels, passes, steps)
    nearest = [
        NearClass(other.label, other.index, other.probability, distance)
        for other, distance in zip(others, torch.cat([torch.empty(0), *distances]).tolist(), strict=True)
    ]
    return NearClasses(original, tuple(sorted(nearest, key=lambda near: near.distance)[:top]), passes)


def _distances(
    small: Float[Tensor, "1 3 i j"],
    logits: Float[Tensor, "1 k"],
    targets: Int[Tensor, " n"],
    passes: Passes,
    steps: int,
) -> Task[list[Float[Tensor, " n"]]]:
    """DeepFool's distance from the picture, at the model's size, to each of the target classes."""
    start = small.expand(len(targets), -1, -1, -1).contiguous()
    goal = Goal(targets, True, lambda pixels: pixels, passes)
    best = Best(goal, start, goal.judge(start, logits.expand(1, len(targets), -1)), measure=by("l2"))
    yield from deepfool(start, goal, best, steps=steps)
    return [best.size.cpu()]


def _towards_label(
    label: Label, small: Float[Tensor, "1 3 i j"], logits: Float[Tensor, "1 k"], passes: Passes, steps: int
) -> Task[Float[Tensor, " 1"]]:
    """DeepFool's distance to where the network finds the label."""
    found = torch.zeros(1, dtype=torch.long, device=small.device)  # the first of two classes
    (distance,) = yield from label.attack(_distances(small, label.columns(logits), found, passes, steps))
    return distance


def _latest(reports: Sequence[Progress | None]) -> Progress:
    return max((report for report in reports if report is not None), key=lambda report: report.step)
