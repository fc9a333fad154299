"""The options of GET /ideal."""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, model_validator

from app.web.fields import (
    MODEL,
    SEED,
    AnyFormatChoice,
    LayerName,
    ModelName,
    Seed,
    empty_is_none,
    one_of,
    without_empty,
)
from app.web.option_fields import method_options
from models.effort import Effort
from models.ideal.options import LEAST_SIZE, METHODS, MOST_PICTURES, MOST_SIZE

IdealMethodOptions = method_options(
    "MethodOptions", {name: method.options for name, method in METHODS.items()}, in_form=False
)


EFFORT = (
    "How much work goes into the picture: quick (a first look), standard, or thorough (several times the passes of "
    "standard). It chooses the defaults of the other options; a value that the request gives replaces them. The plain "
    "textbook recipe (method=pixel, crops=0 and clamp=false) is the same at every effort."
)


class IdealOptions(IdealMethodOptions):  # type: ignore[misc, valid-type]
    """Query parameters of GET /ideal/{class}."""

    model: ModelName = Field(default=None, description=MODEL)
    method: Annotated[str, one_of(METHODS)] = Field(
        default="fourier",
        description="Parametrisation of the picture: fourier (its spectrum), maco (the phases of a spectrum of fixed "
        "magnitude) or pixel (its pixel values).",
    )
    effort: Annotated[str, one_of(get_args(Effort))] = Field(default="standard", description=EFFORT)
    seed: Seed = Field(default=0, description=SEED)
    count: int = Field(
        default=1,
        ge=1,
        le=MOST_PICTURES,
        description=f"Number of pictures, from 1 to {MOST_PICTURES}: the first from `seed`, each further one from the "
        "next seed. Time and memory grow in proportion.",
    )
    size: int | None = Field(
        default=None,
        ge=LEAST_SIZE,
        le=MOST_SIZE,
        description=f"Side of the square picture in pixels, from {LEAST_SIZE} to {MOST_SIZE}. The default is the input "
        "size of the model.",
    )
    judge: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=200,
        description="Name of another served model that classifies the result as a second opinion. The default is the "
        "first other model that has the class.",
    )
    previews: bool = Field(
        default=False,
        description="Whether progress events contain a preview of the picture so far: a JPEG whose longer side has at "
        "most 480 pixels, at most ten times a second; only with the format events.",
    )
    format: AnyFormatChoice = Field(
        default=None,
        description="Format of the response: png, jpeg or webp (the picture), json (all figures, with the picture "
        "inside), events (progress as server-sent events, then the figures), film (an animated WebP of the ascent) or "
        "gif (an animated GIF of it). Without it the Accept header decides.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return without_empty(values)


class ChannelOptions(IdealOptions):
    """Query parameters of GET /ideal."""

    layer: LayerName = Field(description="Name of a layer of the model, as GET /models/{name} lists them.")
    channel: int = Field(ge=0, description="Index of a channel of the layer, counted from 0.")
