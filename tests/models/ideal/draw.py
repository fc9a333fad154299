"""Draws ideal pictures for tests: all that a request gives, or the single one."""

from typing import Any

from models.classifier import Classifier
from models.ideal.task import Ideal, IdealPicture, ideal
from models.run import run


def draw_ideal(classifier: Classifier, subject: Any, **options: Any) -> Ideal:
    return run(ideal(subject, classifier.spec, **options), classifier)


def draw_one(classifier: Classifier, subject: Any, **options: Any) -> IdealPicture:
    (picture,) = draw_ideal(classifier, subject, **options).pictures
    return picture
