"""Draws ideal pictures for tests: all that a request gives, or the single one."""

from typing import Any

import torch
from torch import Tensor

from models.classifier import Classifier
from models.ideal.options import Drawing
from models.ideal.task import Ideal, IdealPicture, ideal
from models.run import run


def draw_ideal(classifier: Classifier, subject: Any, **options: Any) -> Ideal:
    return run(ideal(subject, classifier.spec, **options), classifier)


def draw_one(classifier: Classifier, subject: Any, **options: Any) -> IdealPicture:
    (picture,) = draw_ideal(classifier, subject, **options).pictures
    return picture


def descend(drawing: Drawing, loss: Tensor) -> None:
    """One step against the gradient of the loss."""
    (gradient,) = torch.autograd.grad(loss, drawing.variable)
    drawing.step(gradient, 1.0)
