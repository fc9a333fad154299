"""Whether an adversarial picture fools the other served models as well."""

from dataclasses import dataclass

from app.adversarial.responses import TransferVerdict
from app.web.schemas import Prediction
from app.web.second_opinions import ModelTasks, second_opinions
from app.web.service import Service
from models import classify
from models.attacks.one_label import FOUND
from models.attacks.task import Adversarial
from models.classes import UnknownClass
from models.spec import Spec
from models.store import Model


@dataclass(frozen=True)
class _Candidate:
    """Another model, with its own indices of the original class and of the target class, if there is one."""

    model: Model
    original: int
    target: int | None


async def ask_other_models(service: Service, result: Adversarial, attacked: str) -> list[TransferVerdict]:
    """What every other model that is ready and has the classes predicts for both pictures; `attacked` is left out.

    A model that fails or does not answer in time is left out as well.
    """
    candidates = _candidates(service, result, attacked)
    tasks = [_verdict_tasks(result, candidate.model) for candidate in candidates]
    answers = await second_opinions(service, tasks)
    return [
        _verdict(candidate, *(_judged(candidate, predictions) for predictions in answer))
        for candidate, answer in zip(candidates, answers, strict=True)
        if answer is not None
    ]


def _candidates(service: Service, result: Adversarial, attacked: str) -> list[_Candidate]:
    candidates = []
    for model in service.registry.ready():
        if model.name == attacked:
            continue
        try:
            candidates.append(_Candidate(model, *_indices(result, model.spec)))
        except UnknownClass:
            continue
    return candidates


def _indices(result: Adversarial, spec: Spec) -> tuple[int, int | None]:
    """The other model's own indices of the original class and the target class; raises UnknownClass."""
    target = None if result.target is None else spec.names.by_name(result.target.label)
    return spec.names.by_name(result.original.label), target


def _verdict_tasks(result: Adversarial, model: Model) -> ModelTasks[list[classify.Prediction]]:
    pictures = (result.origin, result.picture)
    top = len(model.spec.classes) if model.spec.multi_label else 1
    return ModelTasks(model, [classify.classify(picture, model.spec, top=top) for picture in pictures])


def _judged(candidate: _Candidate, predictions: list[classify.Prediction]) -> classify.Prediction:
    """The top class, or of a model of several labels per picture the label that the attack is about."""
    if not candidate.model.spec.multi_label:
        return predictions[0]
    label = candidate.original if candidate.target is None else candidate.target
    return next(prediction for prediction in predictions if prediction.index == label)


def _verdict(candidate: _Candidate, before: classify.Prediction, after: classify.Prediction) -> TransferVerdict:
    wanted = candidate.original if candidate.target is None else candidate.target
    was, now = (_sees(candidate.model.spec, prediction, wanted) for prediction in (before, after))
    return TransferVerdict(
        model=candidate.model.name,
        original=Prediction.model_validate(before),
        adversarial=Prediction.model_validate(after),
        fooled=was and not now if candidate.target is None else now and not was,
    )


def _sees(spec: Spec, prediction: classify.Prediction, index: int) -> bool:
    """Whether this is the top class, or the label is found."""
    return prediction.index == index and (not spec.multi_label or prediction.probability >= FOUND)
