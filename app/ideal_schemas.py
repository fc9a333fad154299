"""Request and response bodies of GET /ideal."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, create_model, model_validator

from app.schemas import (
    MODEL,
    PREVIEWS,
    AnyFormatChoice,
    ModelName,
    Options,
    Passes,
    Seed,
    empty_is_none,
    one_of,
    without_empty,
)
from models.ideal.options import BOUNDS, LEAST_SIZE, METHODS, MOST_PICTURES, MOST_SIZE
from models.ideal.subject import OBJECTIVES

MEANINGS = {
    "steps": "steps of gradient ascent, at most",
    "crops": "random crops that each step sees; 0: the whole picture, as it is",
    "noise": "largest standard deviation of the noise on what is seen, of pixels in [0, 1]",
    "tv": "weight of the total variation",
    "decay": "how fast frequencies fall: frequency ** -decay",
    "learning_rate": "step size",
    "patience": "end after so many steps without a rise of what is recognised; 0: never",
    "clamp": "keep pixels in [0, 1]; false, with crops=0, is the plain recipe whose promises no file holds",
    "objective": "what is raised: the class's logit, its log-probability, or its lead over all others",
}


def _method_options() -> dict[str, Any]:
    """Every option of every method, each method's own default in its description."""
    names = dict.fromkeys(name for method in METHODS.values() for name in method.defaults)
    return {name: _field(name) for name in names}


def _field(name: str) -> Any:
    defaults = {method: each.defaults[name] for method, each in METHODS.items() if name in each.defaults}
    kind: Any = type(next(iter(defaults.values())))
    told = ", ".join(f"{method} {str(default).lower()}" for method, default in defaults.items())
    extra: dict[str, Any] = {}
    if name == "objective":
        kind = Annotated[str, one_of(OBJECTIVES)]
        told += f"; one of {', '.join(OBJECTIVES)}"
    elif name in BOUNDS:
        least, most = BOUNDS[name]
        extra = {"ge": least, "le": most} | ({"allow_inf_nan": False} if kind is float else {})
    return (kind | None, Field(default=None, description=f"{MEANINGS[name]}. Without it: {told}", **extra))


MethodOptions = create_model("MethodOptions", __base__=Options, **_method_options())
OPTION_NAMES = frozenset(MethodOptions.model_fields)


class IdealOptions(MethodOptions):  # type: ignore[misc, valid-type]
    """Query parameters of GET /ideal/{class}."""

    model: ModelName = Field(default=None, description=MODEL)
    method: Annotated[str, one_of(METHODS)] = Field(default="fourier", description=f"one of {', '.join(METHODS)}")
    seed: Seed = Field(default=0, description="what all that is random comes from")
    count: int = Field(default=1, ge=1, le=MOST_PICTURES, description="so many pictures, from seeds that follow")
    size: int | None = Field(
        default=None, ge=LEAST_SIZE, le=MOST_SIZE, description="the picture's side; the model's input size without it"
    )
    judge: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=200,
        description="another served model that is shown the result; without it the first that knows the class",
    )
    previews: bool = Field(default=False, description=PREVIEWS)
    format: AnyFormatChoice = Field(
        default=None,
        description="instead of the Accept header: png, jpeg, webp, json, events, or the ascent as film (WebP) or gif",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return without_empty(values)


class ChannelOptions(IdealOptions):
    """Query parameters of GET /ideal."""

    layer: str = Field(max_length=300, description="a layer's name, as GET /models/{name} lists them")
    channel: int = Field(ge=0, description="one of its channels")


class Transfer(BaseModel):
    """What a model that took no part sees in the picture."""

    model: str
    label: str = Field(description="its top class")
    probability: float = Field(description="of the class that was asked for")
    rank: int


class Score(BaseModel):
    """The verdict on a picture, as it is returned in 8 bits."""

    probability: float | None = Field(description="of the class, by /classify; null for a channel")
    activation: float | None = Field(description="of the channel, its mean; null for a class")
    on_noise: float | None = Field(description="the channel's activation on pictures of noise; null for a class")
    rank: int | None = Field(description="of the class among all: 1 is the top one; null for a channel")
    promised: float = Field(description="what the network said of the tensor before it was a picture")
    robust: float = Field(description="mean over `families`: what is still seen in crops, under blur, noise, JPEG, ...")
    held_out: float = Field(description="the same over the families that the method did not train on")
    families: dict[str, float]
    weakest: str = Field(description="the family under which least is seen")
    slope: float = Field(description="of the amplitude spectrum; nine of ten photographs have 0.95 to 1.8")
    variation: float = Field(description="mean difference of neighbouring pixels in [0, 1], across plus down")
    transfer: Transfer | None = Field(description="null where no other served model knows the class or can be asked")


class OnePicture(BaseModel):
    """One of the pictures that were asked for."""

    seed: int
    steps: int = Field(description="that it took")
    score: Score
    reason: str | None = Field(description="why it came out poorly, and what to change; null where it did not")
    image: str | None = Field(description="data URL of the PNG; null where there is no other, and `image` is this")


class IdealResult(BaseModel):
    """The answer of GET /ideal as JSON; `score` and `reason` are those of the first picture."""

    model: str
    label: str = Field(description="the class, or layer:channel")
    index: int | None = Field(description="of the class; null for a channel")
    layer: str | None = None
    channel: int | None = None
    image: str = Field(description="data URL of the PNG; of several pictures a sheet of all")
    score: Score
    reason: str | None
    pictures: list[OnePicture]
    options: dict[str, Any]
    passes: Passes
    seconds: float
