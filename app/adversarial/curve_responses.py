"""The responses of POST /adversarial/curve and /adversarial/targets."""

from pydantic import BaseModel, Field

from app.adversarial.responses import Norms, TargetClass
from app.web.schemas import Passes, Prediction


class Smallest(BaseModel):
    """The smallest change that was found in one norm, as a file holds it."""

    success: bool
    label: str = Field(description="what the model then sees")
    norms: Norms


class CurvePoint(BaseModel):
    """What an attack within one budget achieves."""

    epsilon: float
    original: float = Field(description="probability of the original class")
    goal: float = Field(description="probability of the target; without one, of all other classes together")
    success: bool


class CurveResult(BaseModel):
    """The answer of POST /adversarial/curve as JSON."""

    model: str
    original: Prediction
    target: TargetClass | None
    smallest: dict[str, Smallest]
    norm: str
    points: list[CurvePoint]
    image: str = Field(description="data URL of the plot")
    passes: Passes
    stopped: bool = Field(description="the deadline passed: this is what is known so far")
    seconds: float


class NearestClass(Prediction):
    """A class and the L2 by which DeepFool reaches it, null where it does not."""

    distance: float | None


class NearestClasses(BaseModel):
    """The answer of POST /adversarial/targets, nearest first."""

    model: str
    original: Prediction
    nearest: list[NearestClass]
    passes: Passes
