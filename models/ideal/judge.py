"""A second opinion on an ideal picture, by a network that was not used to draw it."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from models.classify import Prediction, rank
from models.preprocessing import preprocess, to_float
from models.query import Passes, Query, Task
from models.spec import Spec


@dataclass(frozen=True)
class Judgement:
    """The most probable class of the other network, and the probability and rank (1 is the top) of the drawn class."""

    top: Prediction
    probability: float
    rank: int


def judge(picture: UInt8[Tensor, "3 h w"], index: int, spec: Spec) -> Task[Judgement]:
    """Classify the picture with another network: `index` and `spec`, its preprocessing too, are that network's own."""
    query = Query(preprocess(to_float(picture).unsqueeze(0), spec), apart=True)
    answer = yield from Passes().ask(query)
    ranked = rank(answer.logits[0], spec, top=len(spec.classes))
    place = next(number for number, prediction in enumerate(ranked) if prediction.index == index)
    return Judgement(ranked[0], ranked[place].probability, place + 1)
