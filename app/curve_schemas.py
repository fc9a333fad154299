"""Request and response bodies of POST /adversarial/curve and /adversarial/targets."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from app.attack_schemas import TARGET, ClassToReach, Deadline, Norms, TargetClass
from app.schemas import FORMAT, MODEL, FormatChoice, ModelName, Options, Passes, PictureFile, Prediction, Seed
from models.attacks.geometry import NORMS


def parse_norms(value: object) -> object:
    """`linf,l2` as a list."""
    if isinstance(value, list) and len(value) == 1:  # what a form's field arrives as
        value = value[0]
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class CurveOptions(Options):
    """Fields of POST /adversarial/curve."""

    image: PictureFile = Field(description="the picture")
    target: ClassToReach = Field(default=None, description=TARGET, max_length=200, examples=[""])
    norms: Annotated[list[Literal["linf", "l2", "l1", "l0"]], BeforeValidator(parse_norms)] = Field(
        default=list(NORMS),
        min_length=1,
        max_length=4,
        description="norms in which to look for the smallest change, with commas",
    )
    norm: Literal["linf", "l2", "l1"] = Field(default="l2", description="the budget against which to plot")
    steps: int = Field(default=40, ge=1, le=1000, description="steps of each attack")
    seed: Seed = Field(default=0, description="what all that is random comes from")
    deadline_s: Deadline = Field(
        default=None,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="after so many seconds, answer with what is known so far",
        examples=[60],
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT)


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


class TargetsOptions(Options):
    """Fields of POST /adversarial/targets."""

    image: PictureFile = Field(description="the picture")
    top: int = Field(default=5, ge=1, le=50, description="how many classes to tell")
    candidates: int = Field(default=10, ge=1, le=50, description="how many of the most probable classes to measure")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])


class NearestClass(Prediction):
    """A class and the L2 by which DeepFool reaches it, null where it does not."""

    distance: float | None


class NearestClasses(BaseModel):
    """The answer of POST /adversarial/targets, nearest first."""

    model: str
    original: Prediction
    nearest: list[NearestClass]
    passes: Passes
