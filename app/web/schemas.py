"""The parts that several JSON responses share, and the base of the responses that contain pictures."""

import base64
import json
from collections.abc import Callable
from typing import Annotated, ClassVar

from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from torch import Tensor

from models.pictures import JPEG_QUALITY, encode

OptionValue = bool | int | float | str | None
"""The value of one option, as a JSON response reports it."""


def data_url(picture: UInt8[Tensor, "3 h w"], *, format: str = "png", quality: int = JPEG_QUALITY) -> str:
    """The picture in a data URL, as a PNG, or as a JPEG of a quality from 1 to 100."""
    file = encode(picture, format=format, quality=quality)
    return f"data:image/{format};base64,{base64.b64encode(file).decode()}"


def _draw_as_data_url(draw: Callable[[], Tensor]) -> str:
    return data_url(draw())


PictureUrl = Annotated[
    Callable[[], Tensor],
    PlainSerializer(_draw_as_data_url, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A function that draws a uint8 picture [3, h, w]; it is called when the response is written as JSON, and its picture
becomes a PNG in a data URL. A response that is sent as a picture draws none of them."""

VERSION = (
    "Version of the model: the first 12 hexadecimal digits of the SHA-256 of its weights and its description. It "
    "changes when the service has loaded a file with others; GET /models shows which version answers now."
)
"""Description of the field `version`, which stands beside the name of a model."""


class PictureResult(BaseModel):
    """Base of the JSON responses that contain pictures; the same figures go into the text chunk of a PNG response."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)
    not_in_text: ClassVar[frozenset[str]] = frozenset({"image"})
    """The fields that the text chunk leaves out: the pictures, which would be in the file twice."""

    def text(self) -> str:
        """The figures without the pictures as JSON, for the text chunk of a PNG file."""
        return json.dumps(self.model_dump(mode="json", exclude=set(self.not_in_text)))


class Prediction(BaseModel):
    """A class and the probability that the model gives it."""

    model_config = ConfigDict(from_attributes=True)
    label: str = Field(description="Name of the class.")
    index: int = Field(description="Index of the class in the model's list of classes, from 0.")
    probability: float = Field(description="Probability that the model gives the class, from 0 to 1.")


class Passes(BaseModel):
    """How many pictures went through the network to compute the result."""

    model_config = ConfigDict(from_attributes=True)
    forward: int = Field(description="Number of pictures that passed through the network, counted once per pass.")
    backward: int = Field(description="Number of these for which a gradient was computed as well.")


class LayerDetail(BaseModel):
    """A layer of the network and the size of its feature maps."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(description="Name of the layer, by which requests refer to it.")
    kind: str = Field(description="Name of the layer's class in PyTorch.")
    channels: int = Field(description="Number of channels of its feature maps.")
    height: int = Field(description="Height of its feature maps in pixels.")
    width: int = Field(description="Width of its feature maps in pixels.")
    decides: bool = Field(description="Whether the class scores depend on the content of its feature maps.")


class Problem(BaseModel):
    """Why a request failed, as RFC 9457 problem details."""

    type: str = Field(description="Identifier of the kind of problem, a URN such as `urn:mirage:problem:overloaded`.")
    title: str = Field(description="The meaning of the HTTP status.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What is wrong with this request, and what to do next.")
    request_id: str = Field(description="Identifier of the request, under which the log of the service has more.")


class ProgressEvent(BaseModel):
    """How far a task has come: the data of an event `progress`, in which what does not apply is missing."""

    step: int = Field(description="Number of the step that is done, from 1.")
    steps: int = Field(description="Number of steps that the task makes at most.")
    score: float | None = Field(description="How near the task is to its goal; null if it has no score.")
    success: bool | None = Field(
        description="Whether a result that reaches the goal has been verified in the file already; null if the task "
        "has no such goal."
    )
    eta_s: float | None = Field(
        description="Estimated seconds that the remaining steps take under the present load, without the final "
        "verification or scoring; null without an estimate: in the first steps, and after the last."
    )
    probabilities: list[Prediction] | SkipJsonSchema[None] = Field(
        default=None,
        description="From an attack, the five most probable classes of the best picture so far, best first, and after "
        "them the target class (without a target, the original class) if it is not among them.",
    )
    preview: str | SkipJsonSchema[None] = Field(
        default=None,
        description="With the option `previews`, at most ten times a second: the picture so far, as a JPEG in a data "
        "URL.",
    )
    change: str | SkipJsonSchema[None] = Field(
        default=None,
        description="Beside a preview of an attack: the perturbation so far, as a JPEG in a data URL, amplified to the "
        "full range around a mid-grey (level 128) that means no change.",
    )
