"""Request and response bodies, as clients may rely on them."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.formats import Format
from models.ideal.task import METHODS

MAX_SEED = 2**53 - 1  # what JavaScript, and so Swagger UI, can write exactly


def one_of(choices: Any) -> AfterValidator:
    """A text that is one of the choices."""

    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return value

    return AfterValidator(check)


def parse_fraction(value: object) -> object:
    """`8/255` as a number; anything else is left for pydantic to judge."""
    if not isinstance(value, str) or value.count("/") != 1:
        return value
    above, below = (float(part) for part in value.split("/"))
    if below == 0 or not math.isfinite(above) or not math.isfinite(below):
        raise ValueError("a fraction needs two finite numbers, the second not 0")
    return above / below


def empty_is_none(value: object) -> object:
    """A form field that was left empty was not given."""
    return None if value == "" else value


def without_empty(values: Any) -> Any:
    """`?steps=&seed=3` as `?seed=3`."""
    return {key: value for key, value in values.items() if value != ""} if isinstance(values, dict) else values


ModelName = Annotated[str | None, BeforeValidator(empty_is_none)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
FormatChoice = Annotated[Format | None, BeforeValidator(empty_is_none)]
MODEL = "a served model's name; the default one without it"
FORMAT = "instead of the Accept header: png, jpeg, webp, json or events"
PREVIEWS = "with events: show the picture so far in each"


SUMMARY: dict[str, Any] = {
    "name": "cats-dogs",
    "state": "ready",
    "problem": None,
    "architecture": "mobilenet_v2",
    "classes": 2,
    "input_size": 224,
    "accuracy": 0.987,
}
DETAIL: dict[str, Any] = SUMMARY | {
    "class_names": ["cat", "dog"],
    "preprocessing": {"input_size": 224, "resize": 232, "interpolation": "bilinear", "temperature": 0.4},
    "metrics": {"accuracy": 0.987, "photos": 2399},
    "provenance": {"created": "2026-11-20"},
}
CLASSIFICATION: dict[str, Any] = {
    "model": "cats-dogs",
    "width": 500,
    "height": 375,
    "predictions": [
        {"label": "dog", "index": 1, "probability": 0.998},
        {"label": "cat", "index": 0, "probability": 0.002},
    ],
}


class Options(BaseModel):
    """Options are known by name; a misspelt one is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid")


class ClassifyOptions(Options):
    """Query parameters of POST /classify."""

    model: ModelName = Field(default=None, description=MODEL)
    top: int = Field(default=5, ge=1, le=1000, description="how many classes to tell")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return without_empty(values)


class ModelChoice(Options):
    """The one query parameter of operations whose options are fields of a form."""

    model: ModelName = Field(default=None, description=MODEL)


class IdealOptions(Options):
    """Query parameters of GET /ideal/{class}."""

    model: ModelName = Field(default=None, description=MODEL)
    method: Annotated[str, one_of(METHODS)] = Field(default="fourier", description=f"one of {', '.join(METHODS)}")
    steps: int = Field(default=64, ge=1, le=1000, description="steps of gradient ascent")
    crops: int = Field(default=4, ge=1, le=32, description="random crops that each step sees")
    tv: float = Field(default=20.0, ge=0, le=1000, allow_inf_nan=False, description="weight of the total variation")
    seed: Seed = Field(default=0, description="what all that is random comes from")
    size: int | None = Field(
        default=None, ge=32, le=1024, description="the picture's side; the model's input size without it"
    )
    previews: bool = Field(default=False, description=PREVIEWS)
    format: FormatChoice = Field(default=None, description=FORMAT)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return without_empty(values)


class Prediction(BaseModel):
    """A class and the probability that the model gives it."""

    model_config = ConfigDict(from_attributes=True)
    label: str
    index: int
    probability: float


class Classification(BaseModel):
    """The answer of POST /classify."""

    model_config = ConfigDict(json_schema_extra={"examples": [CLASSIFICATION]})
    model: str
    width: int
    height: int
    predictions: list[Prediction]


class Passes(BaseModel):
    """Pictures that went through the network, and gradients that came back."""

    forward: int
    backward: int


class Score(BaseModel):
    """What the model says of the returned picture itself: rank 1 is its top class."""

    probability: float
    rank: int


class IdealResult(BaseModel):
    """The answer of GET /ideal/{class} as JSON."""

    model: str
    label: str
    index: int
    image: str = Field(description="data URL of the PNG")
    score: Score
    options: dict[str, Any]
    passes: Passes
    seconds: float


class ModelSummary(BaseModel):
    """One served model in GET /models; what lies in its file is known once it is ready."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUMMARY]})
    name: str
    state: Literal["loading", "ready", "failed"]
    problem: str | None = None
    architecture: str | None = None
    classes: int | None = None
    input_size: int | None = None
    accuracy: float | None = Field(default=None, description="on its own test photos, where its file says so")


class ModelList(BaseModel):
    """The answer of GET /models."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"default": "cats-dogs", "device": "cpu", "models": [SUMMARY]}]}
    )
    default: str
    device: str
    models: list[ModelSummary]


class ModelDetail(ModelSummary):
    """The answer of GET /models/{name}."""

    model_config = ConfigDict(json_schema_extra={"examples": [DETAIL]})
    class_names: list[str] = []
    preprocessing: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    provenance: dict[str, Any] = {}


class Health(BaseModel):
    """The answer of the probes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})
    status: Literal["live", "ready", "loading", "failed"]


class Problem(BaseModel):
    """RFC 9457 problem details; `detail` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
