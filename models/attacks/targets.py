"""The classes to which a picture is nearest, towards which a targeted attack needs the smallest change."""

from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from models.attacks.geometry import by
from models.attacks.goal import Best, Goal
from models.attacks.methods.deepfool import deepfool
from models.classify import Prediction, rank
from models.preprocessing import preprocess, to_float
from models.query import Passes, Query, Task
from models.spec import Spec


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


def suggest_targets(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, *, top: int = 5, candidates: int = 10, steps: int = 20
) -> Task[NearClasses]:
    """The `top` classes nearest to a picture by DeepFool's distance, of the `candidates` most probable other classes.

    The distance is the L2 of a targeted DeepFool (Moosavi-Dezfooli et al. 2016, arxiv.org/abs/1511.04599) at the
    model's own resolution: which class is nearest hardly depends on the picture's size, and a photo of many megapixels
    costs no more. All candidates are rows of one batch. Costs up to candidates x steps passes with gradients.
    """
    passes = Passes()
    small = preprocess(to_float(picture).unsqueeze(0), spec)
    answer = yield from passes.ask(Query(small))
    original, *others = rank(answer.logits[0], spec, top=min(candidates + 1, len(spec.classes)))
    start = small.expand(len(others), -1, -1, -1).contiguous()
    labels = torch.tensor([other.index for other in others], device=small.device)
    goal = Goal(labels, True, lambda pixels: pixels, passes)
    logits = answer.logits.expand(1, len(others), -1)
    best = Best(goal, start, goal.judge(start, logits), measure=by("l2"))
    yield from deepfool(start, goal, best, steps=steps)
    nearest = [
        NearClass(other.label, other.index, other.probability, distance)
        for other, distance in zip(others, best.size.tolist(), strict=True)
    ]
    return NearClasses(original, tuple(sorted(nearest, key=lambda near: near.distance)[:top]), passes)
