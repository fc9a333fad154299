"""Which classes a picture is nearest to: where a targeted attack has the shortest way."""

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
    """A class, its present probability and how far it is: the L2 that DeepFool takes, infinite where it fails."""

    label: str
    index: int
    probability: float
    distance: float


@dataclass(frozen=True)
class NearClasses:
    """What the picture is taken for, and the classes around it, nearest first."""

    original: Prediction
    nearest: tuple[NearClass, ...]
    passes: Passes


def suggest_targets(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, *, top: int = 5, candidates: int = 10, steps: int = 20
) -> Task[NearClasses]:
    """The `top` classes nearest to a picture by DeepFool's distance, of the `candidates` most probable others.

    The distance is in L2 at the model's own resolution, where one targeted DeepFool per candidate runs as rows of one
    batch (Moosavi-Dezfooli et al. 2016, arxiv.org/abs/1511.04599): which class is nearest hardly depends on the
    picture's size, and a photo of many megapixels costs no more. Up to candidates x steps passes with gradients.
    """
    passes = Passes()
    small = preprocess(to_float(picture).unsqueeze(0), spec)
    seen = yield from passes.ask(Query(small))
    present, *others = rank(seen.logits[0], spec, top=min(candidates + 1, len(spec.classes)))
    start = small.expand(len(others), -1, -1, -1).contiguous()
    labels = torch.tensor([each.index for each in others], device=small.device)
    goal = Goal(labels, True, lambda pixels: pixels, passes)
    logits = seen.logits.expand(1, len(others), -1)
    best = Best(goal, start, goal.judge(start, logits), measure=by("l2"))
    yield from deepfool(start, goal, best, steps=steps)
    found = [
        NearClass(each.label, each.index, each.probability, distance)
        for each, distance in zip(others, best.size.tolist(), strict=True)
    ]
    return NearClasses(present, tuple(sorted(found, key=lambda each: each.distance)[:top]), passes)
