"""The options of POST /features and POST /explain."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from app.web.fields import (
    FORMAT,
    MODEL,
    ClassName,
    FormatChoice,
    LayerName,
    ModelName,
    Options,
    PictureFile,
    empty_is_none,
    one_of,
)
from app.web.option_fields import method_options
from models.explain import METHODS

MOST_CHANNELS = 100
"""Largest number of feature maps in one response."""
CHANNELS = (
    rf"^\s*0{{0,3}}([1-9][0-9]?|{MOST_CHANNELS})\s*$|"
    rf"^\s*[0-9]{{1,6}}\s*,(\s*[0-9]{{1,6}}\s*,){{0,{MOST_CHANNELS - 2}}}(\s*[0-9]{{1,6}})?\s*$"
)
"""A number of channels, or indices of channels, as a regular expression of JSON Schema."""


def parse_channels(value: str) -> str:
    """Checks a number of channels (`16`) or channels by index (`3,17,40`; a single one has a comma too: `3,`).

    Raises ValueError where it is neither, or asks for more than MOST_CHANNELS.
    """
    if not re.fullmatch(r"\s*[0-9]{1,6}\s*(,\s*[0-9]{1,6}\s*)*,?\s*", value):
        raise ValueError(
            "channels must be a number of channels such as 16, or indices separated by commas such as 3,17,40 "
            "(a single index is followed by a comma: 3,)"
        )
    numbers = [int(part) for part in value.split(",") if part.strip()]
    if not 1 <= (len(numbers) if "," in value else numbers[0]) <= MOST_CHANNELS:
        raise ValueError(f"channels must ask for 1 to {MOST_CHANNELS} channels")
    return value


class FeaturesOptions(Options):
    """The picture and the options of POST /features."""

    image: PictureFile = Field(description="The picture, as a file.")
    layer: LayerName = Field(description="Name of a layer of the model, as GET /models/{name} lists them.")
    channels: Annotated[str, AfterValidator(parse_channels)] = Field(
        default="16",
        max_length=1000,
        json_schema_extra={"pattern": CHANNELS},
        description=f"Which channels to show, at most {MOST_CHANNELS}: a number of channels such as 16, those with the "
        "strongest activation first; or indices from 0 separated by commas, such as 3,17,40 (a single index as 3,).",
    )
    separate: bool = Field(
        default=False,
        description="Whether the response has each feature map as a picture of its own, at the resolution of the layer "
        "and without labels, in place of one labelled picture of all; only with the formats json and events.",
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT, examples=[""])


ExplainMethodOptions = method_options(
    "ExplainMethodOptions", {name: method.options for name, method in METHODS.items()}, in_form=True
)


class ExplainOptions(ExplainMethodOptions):  # type: ignore[misc, valid-type]
    """The picture and the options of POST /explain."""

    image: PictureFile = Field(description="The picture, as a file.")
    target: ClassName = Field(
        default=None,
        max_length=200,
        description="Class whose score is explained, by name or index. The default is the most probable class.",
        examples=[""],
    )
    method: Annotated[str, one_of(METHODS)] = Field(
        default="grad_cam",
        description="Method of the explanation: grad_cam (regions of a layer that support the class), smooth_grad or "
        "integrated_gradients (pixels on which the score depends, for or against the class).",
    )
    layer: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=300,
        description="Name of the layer whose feature maps grad_cam weights, as GET /models/{name} lists them. Only for "
        "grad_cam; the default is the last layer that has feature maps.",
        examples=[""],
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT, examples=[""])
