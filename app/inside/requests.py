"""The options of POST /features and POST /explain."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from app.web.fields import FORMAT, MODEL, FormatChoice, ModelName, Options, PictureFile, empty_is_none, one_of
from models.explain import BOUNDS, METHODS

MOST_CHANNELS = 100
"""Maps in one sheet."""


def parse_channels(value: str) -> str:
    """`16`, or `3,17,40` (a lone one as `3,`): numbers with commas, at most MOST_CHANNELS shown."""
    if not re.fullmatch(r"\s*[0-9]{1,6}\s*(,\s*[0-9]{1,6}\s*)*,?\s*", value):
        raise ValueError("how many channels, or their numbers with commas (a lone one with a comma behind)")
    numbers = [int(part) for part in value.split(",") if part.strip()]
    if not 1 <= (len(numbers) if "," in value else numbers[0]) <= MOST_CHANNELS:
        raise ValueError(f"1 to {MOST_CHANNELS} channels")
    return value


class FeaturesOptions(Options):
    """Fields of POST /features."""

    image: PictureFile = Field(description="the picture")
    layer: str = Field(max_length=300, description="a layer's name, as GET /models/{name} lists them")
    channels: Annotated[str, AfterValidator(parse_channels)] = Field(
        default="16",
        max_length=1000,
        description="how many, strongest first; or their numbers: 3,17,40",
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT)


MEANINGS = {
    "samples": "noisy copies",
    "noise": "their noise, as a share of the range of the pixels",
    "seed": "what the noise comes from",
    "steps": "points on the way from black",
}


def _field(name: str) -> Any:
    (method,) = [method for method, options in METHODS.items() if name in options]
    default = METHODS[method][name]
    least, most = BOUNDS[name]
    kind: Any = type(default)
    extra: dict[str, Any] = {"allow_inf_nan": False} if kind is float else {}
    extra["description"] = f"{MEANINGS[name]}, of {method}. Without it: {default}"
    field = Field(default=None, ge=least, le=most, examples=[""], **extra)
    return (Annotated[kind | None, BeforeValidator(empty_is_none)], field)


MethodOptions = create_model(
    "ExplainMethodOptions",
    __base__=Options,
    **{name: _field(name) for options in METHODS.values() for name in options},
)


OPTION_NAMES = frozenset(MethodOptions.model_fields)


class ExplainOptions(MethodOptions):  # type: ignore[misc, valid-type]
    """Fields of POST /explain."""

    image: PictureFile = Field(description="the picture")
    target: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None, max_length=200, description="a class, by name or index; empty: what the model sees", examples=[""]
    )
    method: Annotated[str, one_of(METHODS)] = Field(default="grad_cam", description=f"one of {', '.join(METHODS)}")
    layer: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=300,
        description="of grad_cam, as GET /models/{name} lists them; without it the last with maps",
        examples=[""],
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT)
