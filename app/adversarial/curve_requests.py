"""The options of POST /adversarial/curve and /adversarial/targets."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.adversarial.requests import TARGET, ClassToReach, Deadline
from app.web.fields import FORMAT, MODEL, FormatChoice, ModelName, Options, PictureFile, Seed
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


class TargetsOptions(Options):
    """Fields of POST /adversarial/targets."""

    image: PictureFile = Field(description="the picture")
    top: int = Field(default=5, ge=1, le=50, description="how many classes to tell")
    candidates: int = Field(default=10, ge=1, le=50, description="how many of the most probable classes to measure")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
