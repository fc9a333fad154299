"""Request and response bodies, as clients may rely on them."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.formats import STILL, Format

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
FormatChoice = Annotated[Annotated[Format, one_of(STILL)] | None, BeforeValidator(empty_is_none)]
AnyFormatChoice = Annotated[Format | None, BeforeValidator(empty_is_none)]
FILE = {"type": "string", "format": "binary"}
PictureFile = Annotated[bytes, WithJsonSchema(FILE)]
"""A picture as it came, not decoded yet."""
PICTURES = ("image", "mask")
"""The fields of forms that are pictures; all others are options, and may stand in the query as well."""
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
    "balanced_accuracy": 0.986,
}
DETAIL: dict[str, Any] = SUMMARY | {
    "class_names": ["cat", "dog"],
    "layers": [
        {"name": "features.17", "kind": "InvertedResidual", "channels": 320, "height": 7, "width": 7, "decides": True}
    ],
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

    # A class or a number of channels may come as a number of JSON, where the option is a text.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class ClassifyOptions(Options):
    """Fields of POST /classify."""

    image: PictureFile = Field(description="the picture")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    top: int = Field(default=5, ge=1, le=1000, description="how many classes to tell")


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
    balanced_accuracy: float | None = Field(
        default=None, description="mean of its classes' own accuracies on these photos: a rare class counts as much"
    )


class ModelList(BaseModel):
    """The answer of GET /models."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"default": "cats-dogs", "device": "cpu", "models": [SUMMARY]}]}
    )
    default: str
    device: str
    models: list[ModelSummary]


class LayerDetail(BaseModel):
    """A part of the network that can be named, with the size of its feature maps."""

    name: str
    kind: str
    channels: int
    height: int
    width: int
    decides: bool = Field(description="whether the class scores depend on what its maps show")


class ModelDetail(ModelSummary):
    """The answer of GET /models/{name}."""

    model_config = ConfigDict(json_schema_extra={"examples": [DETAIL]})
    class_names: list[str] = []
    layers: list[LayerDetail] = []
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
