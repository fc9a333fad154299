"""How easily the model is fooled about one picture: the curve, and the nearest classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from mirage.results import html
from mirage.results.pictures import WithPictures
from mirage.results.shared import Norms, Passes, Prediction, TargetClass


@dataclass(frozen=True)
class Smallest:
    """The smallest perturbation that was found in one norm, as an 8-bit file contains it."""

    success: bool
    """Whether the perturbation fools the model."""
    label: str
    """Name of the model's top class on the changed picture."""
    norms: Norms
    """The size of the perturbation in every norm."""


@dataclass(frozen=True)
class CurvePoint:
    """The most successful picture that is known within one budget, also if it was found for a smaller one.

    Larger budgets are therefore never less successful, and the model is fooled from the size of the smallest
    perturbation on.
    """

    epsilon: float
    """The budget: the largest allowed perturbation in `norm`, pixel values 0 to 1."""
    original: float
    """Probability of the original class in that picture, from 0 to 1."""
    goal: float
    """Probability of the target class in that picture, from 0 to 1; without a target, of all classes but the original
    one together."""
    success: bool
    """Whether the model is fooled, as verified in the 8-bit picture."""
    size: float
    """Size of the picture's perturbation in `norm`, at most `epsilon`."""
    attack: str | None
    """The attack that found the picture: `pgd` within this or a smaller budget, or `auto`, which looks for the
    smallest perturbation; None for the unchanged picture."""


@dataclass(frozen=True)
class CurveResult(WithPictures):
    """How much the model withstands on one picture: smallest perturbations, and probabilities against the budget."""

    model: str
    """Name of the attacked model."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    original: Prediction
    """The model's top class on the uploaded picture."""
    target: TargetClass | None
    """The target class; None if the request named none."""
    effort: Literal["quick", "standard", "thorough"]
    """How much work the searches were asked to put in: quick, standard or thorough."""
    smallest: Mapping[str, Smallest]
    """For each norm, the smallest perturbation that was found in it."""
    norm: str
    """The norm of the budgets in `points`: linf, l2 or l1."""
    points: tuple[CurvePoint, ...]
    """The points of the curve, from a budget of 0 to the largest one. One point is the size of the smallest
    perturbation."""
    image: Image.Image
    """The plot of the curve as a PNG."""
    passes: Passes
    """Numbers of pictures that all attacks together sent through the network."""
    stopped: bool
    """Whether the deadline passed: the response then has the results until then."""
    seconds: float
    """Seconds that all attacks together took, including the time in the queue."""

    def _repr_html_(self) -> str:
        return html.pictures(f"{self.model}: {self.original.label}", self.image)


@dataclass(frozen=True)
class NearestClass(Prediction):
    """A class and how large a perturbation the model needs to predict it."""

    distance: float | None
    """L2 norm of the perturbation by which DeepFool reaches the class, at the model's input size, with pixel values
    from 0 to 1; None if DeepFool does not reach it."""


@dataclass(frozen=True)
class NearestClasses:
    """The classes that need the smallest change of the picture."""

    model: str
    """Name of the model."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    original: Prediction
    """The model's top class on the uploaded picture."""
    nearest: tuple[NearestClass, ...]
    """The classes that are easiest to reach, nearest first."""
    passes: Passes
    """Numbers of pictures that the measurement sent through the network."""
