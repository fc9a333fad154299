"""Whether other served models are fooled by the same file."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from app.engine.engine import Overloaded, ShuttingDown
from app.web.service import Service
from models.attacks.task import Adversarial
from models.classes import UnknownClass
from models.classify import Prediction, classify
from models.spec import Spec

logger = logging.getLogger(__name__)
TIMEOUT_S = 10
"""For all models together: whoever attacked a picture is not to wait for long on a busy house."""


def transfer(result: Adversarial, service: Service, attacked: str) -> list[dict[str, Any]]:
    """The verdicts of every other model that is ready and knows the classes, on the upload and on the result.

    Blocks until they are there. A house that is full and a model that fails or takes too long leave it out: the
    attack's own result is not to be lost.
    """
    asked: list[tuple[str, int, int | None, list[Future[list[Prediction]]]]] = []
    for name in service.registry.names:
        if name == attacked or service.registry.state(name) != "ready":
            continue
        model = service.registry.get(name)
        futures: list[Future[list[Prediction]]] = []
        try:
            original, target = _known(result, model.spec)
            for each in (result.origin, result.picture):
                futures.append(service.submit(classify(each, model.spec, top=1), model))
        except (UnknownClass, Overloaded, ShuttingDown):
            _withdraw(futures)
            continue
        asked.append((name, original, target, futures))
    verdicts = []
    until = time.monotonic() + TIMEOUT_S
    for name, original, target, futures in asked:
        try:
            before, after = (future.result(max(0.0, until - time.monotonic()))[0] for future in futures)
        except Exception:
            logger.exception("%s could not be asked whether it is fooled too", name)
            _withdraw(futures)
            continue
        verdicts.append(_verdict(name, original, target, before, after))
    return verdicts


def _withdraw(futures: "Sequence[Future[Any]]") -> None:
    for future in futures:
        future.cancel()


def _known(result: Adversarial, spec: Spec) -> tuple[int, int | None]:
    """The other model's own indices of the class to leave and the target."""
    target = None if result.target is None else spec.names.by_name(result.target.label)
    return spec.names.by_name(result.original.label), target


def _verdict(name: str, original: int, target: int | None, before: Prediction, after: Prediction) -> dict[str, Any]:
    left = before.index == original and after.index != original
    return {
        "model": name,
        "original": before,
        "adversarial": after,
        "fooled": left if target is None else after.index == target != before.index,
    }
