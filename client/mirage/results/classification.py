"""The results of classifying pictures."""

from dataclasses import dataclass

from mirage.problem import Problem
from mirage.results import html
from mirage.results.shared import Prediction


@dataclass(frozen=True)
class Classification:
    """The most probable classes of a picture."""

    model: str
    """Name of the model that classified the picture."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    width: int
    """Width of the uploaded picture in pixels, as it is displayed."""
    height: int
    """Height of the uploaded picture in pixels, as it is displayed."""
    predictions: tuple[Prediction, ...]
    """The most probable classes, the most probable one first: as many as the option `top` says, or all classes of the
    model if it has fewer."""

    def _repr_html_(self) -> str:
        return html.classification(self)


@dataclass(frozen=True)
class FailedPicture:
    """A picture of a batch that could not be classified."""

    problem: Problem
    """Why it could not be classified, and what to do next."""


@dataclass(frozen=True)
class ClassifiedBatch:
    """What the model sees in each of several pictures that were sent in one request."""

    model: str
    """Name of the model that classified the pictures."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    results: tuple[Classification | FailedPicture, ...]
    """For each picture, in the order of the request, its most probable classes, or the problem that it alone has."""
