"""The judge: another served model that did not take part in drawing an ideal picture, and looks at the result."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from app.ideal.responses import JudgeVerdict
from app.web.second_opinions import ModelTasks, second_opinions
from app.web.service import Service
from models.classes import UnknownClass
from models.ideal import BadIdeal
from models.ideal.judge import judge as judgement_task
from models.store import Model


@dataclass(frozen=True)
class Judge:
    """The other model, and its own index of the class."""

    model: Model
    index: int


def choose_judge(service: Service, model: Model, label: str | None, name: str | None) -> Judge | None:
    """The model called `name`, or without a name the first other model that is ready and has the class; or None.

    `label` is None for a channel, which no other model has. Raises NotServed, StillLoading, LoadingFailed,
    UnknownClass and BadIdeal where the named model cannot be the judge.
    """
    if name is not None:
        return _named_judge(service, model, label, name)
    for other in service.registry.ready() if label is not None else ():
        if other.name != model.name:
            try:
                return Judge(other, other.spec.names.by_name(str(label)))
            except UnknownClass:
                continue
    return None


def _named_judge(service: Service, model: Model, label: str | None, name: str) -> Judge:
    if label is None:
        raise BadIdeal("judge: another model does not have the same channels: leave out this option for a channel")
    if name == model.name:
        raise BadIdeal(f"judge: {name} is the model that draws the picture: name another one (GET /models lists all)")
    other = service.registry.get(name)
    return Judge(other, other.spec.names.by_name(label))


async def ask_judge(
    service: Service, judge: Judge | None, pictures: Sequence[UInt8[Tensor, "3 s s"]]
) -> list[JudgeVerdict | None] | None:
    """The judge's verdict on each picture; None where the judge fails or is too slow.

    Without a judge there is a None for each picture.
    """
    if judge is None:
        return [None] * len(pictures)
    tasks = [judgement_task(picture, judge.index, judge.model.spec) for picture in pictures]
    (judgements,) = await second_opinions(service, [ModelTasks(judge.model, tasks)])
    if judgements is None:
        return None
    return [JudgeVerdict.of(judgement, model=judge.model.name) for judgement in judgements]
