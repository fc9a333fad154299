"""The options of GET /ideal."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model, model_validator

from app.web.fields import (
    MODEL,
    PREVIEWS,
    AnyFormatChoice,
    ModelName,
    Options,
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
