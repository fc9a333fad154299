"""The JSON responses of POST /adversarial/curve and POST /adversarial/targets."""

import math

from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from torch import Tensor

from app.adversarial.responses import Norms, TargetClass
from app.web.schemas import VERSION, Passes, PictureResult, PictureUrl, Prediction
from models.attacks.curves.curve import Curve
from models.attacks.curves.searches import Known
from models.attacks.targets import NearClass, NearClasses
from models.effort import Effort
from models.store import Model

EXAMPLE: JsonDict = {
    "model": "cats-dogs",
    "version": "5f2b9c01d3e4",
    "original": {"label": "dog", "index": 1, "probability": 0.998},
    "target": None,
    "effort": "standard",
    "smallest": {
        "linf": {"success": True, "label": "cat", "norms": {"linf": 0.0039, "l2": 0.9, "l1": 210.0, "l0": 41000}},
        "l2": {"success": True, "label": "cat", "norms": {"linf": 0.0118, "l2": 0.42, "l1": 44.0, "l0": 8700}},
    },
    "norm": "linf",
    "points": [
        {"epsilon": 0.0, "original": 0.998, "goal": 0.002, "success": False, "size": 0.0, "attack": None},
        {"epsilon": 0.0039, "original": 0.03, "goal": 0.97, "success": True, "size": 0.0039, "attack": "pgd"},
    ],
    "image": "data:image/png;base64,...",
    "passes": {"forward": 420, "backward": 230},
    "stopped": False,
    "seconds": 12.0,
}


class Smallest(BaseModel):
    """The smallest perturbation that was found in one norm, as an 8-bit file contains it."""

    success: bool = Field(description="Whether the perturbation fools the model.")
    label: str = Field(description="Name of the model's top class on the changed picture.")
    norms: Norms = Field(description="The size of the perturbation in every norm.")

    @classmethod
    def of(cls, known: Known) -> "Smallest":
        """The response part that describes one changed picture."""
        return cls(success=known.success, label=known.adversarial.label, norms=Norms.model_validate(known.norms))


class CurvePoint(BaseModel):
    """The most successful picture that is known within one budget, also if it was found for a smaller one.

    Larger budgets are therefore never less successful, and the model is fooled from the size of the smallest
    perturbation on.
    """

    model_config = ConfigDict(from_attributes=True)
    epsilon: float = Field(description="The budget: the largest allowed perturbation in `norm`, pixel values 0 to 1.")
    original: float = Field(description="Probability of the original class in that picture, from 0 to 1.")
    goal: float = Field(
        description="Probability of the target class in that picture, from 0 to 1; without a target, of all classes "
        "but the original one together."
    )
    success: bool = Field(description="Whether the model is fooled, as verified in the 8-bit picture.")
    size: float = Field(description="Size of the picture's perturbation in `norm`, at most `epsilon`.")
    attack: str | None = Field(
        description="The attack that found the picture: `pgd` within this or a smaller budget, or `auto`, which looks "
        "for the smallest perturbation; null for the unchanged picture."
    )


class CurveResult(PictureResult):
    """The response of POST /adversarial/curve as JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field(description="Name of the attacked model.")
    version: str = Field(description=VERSION)
    original: Prediction = Field(description="The model's top class on the uploaded picture.")
    target: TargetClass | None = Field(description="The target class; null if the request named none.")
    effort: Effort = Field(description="How much work the searches were asked to put in: quick, standard or thorough.")
    smallest: dict[str, Smallest] = Field(description="For each norm, the smallest perturbation that was found in it.")
    norm: str = Field(description="The norm of the budgets in `points`: linf, l2 or l1.")
    points: list[CurvePoint] = Field(
        description="The points of the curve, from a budget of 0 to the largest one. One point is the size of the "
        "smallest perturbation."
    )
    image: PictureUrl = Field(description="The plot of the curve as a PNG, as a data URL.")
    passes: Passes = Field(description="Numbers of pictures that all attacks together sent through the network.")
    stopped: bool = Field(description="Whether the deadline passed: the response then has the results until then.")
    seconds: float = Field(description="Seconds that all attacks together took, including the time in the queue.")

    @classmethod
    def of(cls, curve: Curve, *, model: Model, seconds: float) -> "CurveResult":
        """The response for the curve of one picture on this model."""
        return cls(
            model=model.name,
            version=model.version,
            original=Prediction.model_validate(curve.original),
            target=None if curve.target is None else TargetClass.model_validate(curve.target),
            effort=curve.effort,
            smallest={norm: Smallest.of(result) for norm, result in curve.smallest.items()},
            norm=curve.norm,
            points=[CurvePoint.model_validate(point) for point in curve.points],
            image=lambda: _plot(curve),
            passes=Passes.model_validate(curve.passes),
            stopped=curve.stopped,
            seconds=round(seconds, 3),
        )


def _plot(curve: Curve) -> UInt8[Tensor, "3 h w"]:
    from models.attacks.curves.plot import plot  # late: it imports matplotlib (docs/decisions/0042)

    return plot(curve)


class NearestClass(Prediction):
    """A class and how large a perturbation the model needs to predict it."""

    distance: float | None = Field(
        description="L2 norm of the perturbation by which DeepFool reaches the class, at the model's input size, "
        "with pixel values from 0 to 1; null if DeepFool does not reach it."
    )

    @classmethod
    def of(cls, near: NearClass) -> "NearestClass":
        """The response part for one class; JSON has no infinity, so a distance without end becomes null."""
        distance = near.distance if math.isfinite(near.distance) else None
        return cls(label=near.label, index=near.index, probability=near.probability, distance=distance)


class NearestClasses(BaseModel):
    """The response of POST /adversarial/targets."""

    model: str = Field(description="Name of the model.")
    version: str = Field(description=VERSION)
    original: Prediction = Field(description="The model's top class on the uploaded picture.")
    nearest: list[NearestClass] = Field(description="The classes that are easiest to reach, nearest first.")
    passes: Passes = Field(description="Numbers of pictures that the measurement sent through the network.")

    @classmethod
    def of(cls, result: NearClasses, *, model: Model) -> "NearestClasses":
        """The response for the result on this model."""
        return cls(
            model=model.name,
            version=model.version,
            original=Prediction.model_validate(result.original),
            nearest=[NearestClass.of(near) for near in result.nearest],
            passes=Passes.model_validate(result.passes),
        )
