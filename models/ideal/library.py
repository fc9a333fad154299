"""Ideal pictures from Python, without the service."""

from collections.abc import Callable
from typing import Any

from models.classifier import Classifier
from models.ideal.task import Ideal, ideal
from models.query import Progress
from models.run import run
from models.store import Model


def imagine(
    model: Model | Classifier,
    label: str | int | None = None,
    *,
    layer: str | None = None,
    channel: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Ideal:
    """Draw the picture that a class (by name or index) or a channel of a layer responds to most.

        from models.ideal import imagine
        from models.store import load

        result = imagine(load("cats-dogs"), "cat", count=4)
        print(result.pictures[0].score)
        Path("cats.png").write_bytes(encode(result.sheet))  # models.pictures.encode

    `options` are the arguments of models.ideal.ideal. Raises BadIdeal, UnknownClass, UnknownLayer; ValueError where the
    call names neither a class nor a layer, or both.
    """
    classifier = model.classifier if isinstance(model, Model) else model
    if (label is None) == (layer is None):
        raise ValueError("imagine needs either a class (label) or a layer, and not both")
    if layer is not None:
        chosen = classifier.layers.find(layer)
        task = ideal((chosen, chosen.check_channel(channel)), classifier.spec, device=classifier.device, **options)
    else:
        names = classifier.spec.names
        index = names.by_index(label) if isinstance(label, int) else names.find(str(label))
        task = ideal(index, classifier.spec, device=classifier.device, **options)
    return run(task, classifier, on_progress)
