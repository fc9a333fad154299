"""The options of POST /adversarial/curve and /adversarial/targets."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.adversarial.requests import TARGET
from app.web.fields import (
    DEADLINE,
    FORMAT,
    MODEL,
    SEED,
    ClassName,
    Deadline,
    FormatChoice,
    ModelName,
    Options,
    PictureFile,
    Seed,
    empty_is_none,
)
from models.attacks.geometry import NORMS
from models.effort import Effort


def parse_norms(value: object) -> object:
    """The list of norms in a text such as `linf,l2`."""
    if isinstance(value, list) and len(value) == 1:  # FastAPI reads a form field as a list of one text
        value = value[0]
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class CurveOptions(Options):
    """The picture and the options of POST /adversarial/curve."""

    image: PictureFile = Field(description="The picture, as a file. Its own resolution is kept.")
    target: ClassName = Field(default=None, description=TARGET, max_length=200, examples=[""])
    norms: Annotated[list[Literal["linf", "l2", "l1", "l0"]], BeforeValidator(parse_norms)] = Field(
        default=list(NORMS),
        min_length=1,
        max_length=4,
        description="Norms in which to look for the smallest perturbation: one or more of linf, l2, l1 and l0, "
        "separated by commas. Each norm takes about the time of one more attack.",
    )
    norm: Literal["linf", "l2", "l1"] = Field(
        default="l2",
        description="Norm of the curve's budgets: linf, l2 or l1. The curve shows probabilities against the budget.",
    )
    effort: Effort = Field(
        default="standard",
        description="How much work the searches put in. quick: small perturbations soon. standard: nearly the smallest "
        "that auto can find. thorough: the smallest, and takes longest. `steps` replaces the numbers of steps that the "
        "effort would choose.",
    )
    steps: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        description="Number of steps of each search for the smallest perturbation, from 1 to 1000; within each budget "
        "there are at most half as many. More steps find smaller perturbations, and take more time. By default as many "
        "as the effort needs.",
        examples=[""],
    )
    seed: Seed = Field(default=0, description=SEED)
    deadline_s: Deadline = Field(default=None, description=DEADLINE, examples=[60])
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT, examples=[""])


class TargetsOptions(Options):
    """The picture and the options of POST /adversarial/targets."""

    image: PictureFile = Field(description="The picture, as a file.")
    top: int = Field(default=5, ge=1, le=50, description="Number of nearest classes to return, from 1 to 50.")
    candidates: int = Field(
        default=10,
        ge=1,
        le=50,
        description="Number of most probable other classes whose distance is measured, from 1 to 50. More classes may "
        "find a nearer one, and take more time.",
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
