"""Classifying a picture: the task behind POST /classify, and ranking the classes by their logits."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.preprocessing import preprocess, to_float
from models.probabilities import probabilities
from models.query import Passes, Query, Task
from models.spec import Spec


@dataclass(frozen=True)
class Prediction:
    """A class, its index, and the probability in [0, 1] that the model gives it."""

    label: str
    index: int
    probability: float


def classify(picture: UInt8[Tensor, "3 h w"], spec: Spec, *, top: int = 5) -> Task[list[Prediction]]:
    """The `top` most probable classes of a picture of any size, best first."""
    (predictions,) = yield from classify_inputs(preprocess(to_float(picture).unsqueeze(0), spec), spec, top=top)
    return predictions


def classify_inputs(pixels: Float[Tensor, "n 3 i j"], spec: Spec, *, top: int = 5) -> Task[list[list[Prediction]]]:
    """The `top` most probable classes of each of n pictures that are preprocessed already, best first."""
    answer = yield from Passes().ask(Query(pixels))
    return [rank(logits, spec, top=top) for logits in answer.logits]


def rank(logits: Float[Tensor, " k"], spec: Spec, *, top: int = 5) -> list[Prediction]:
    """The most probable classes, best first; `top` beyond the number of classes gives all of them."""
    indices = torch.sort(logits, descending=True, stable=True).indices[:top]  # probabilities may all round to 1
    best = zip(probabilities(logits, spec)[indices].tolist(), indices.tolist(), strict=True)
    return [Prediction(spec.classes[index], index, probability) for probability, index in best]
