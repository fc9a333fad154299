"""What a network that took no part in drawing a picture sees in it: the most honest score."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from models.classify import Prediction, rank
from models.preprocessing import preprocess, to_float
from models.query import Passes, Query, Task
from models.spec import Spec


@dataclass(frozen=True)
class Judgement:
    """The other network's top class, and the probability and rank (1 is the top) that it gives the class asked for."""

    top: Prediction
    probability: float
    rank: int


def judge(picture: UInt8[Tensor, "3 h w"], index: int, spec: Spec) -> Task[Judgement]:
    """Ask another network, by its own preprocessing and its own index of the class."""
    query = Query(preprocess(to_float(picture).unsqueeze(0), spec), apart=True)
    answer = yield from Passes().ask(query)
    ranked = rank(answer.logits[0], spec, top=len(spec.classes))
    place = next(number for number, each in enumerate(ranked) if each.index == index)
    return Judgement(ranked[0], ranked[place].probability, place + 1)
