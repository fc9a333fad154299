"""What the fields of all requests share: their types, their texts and how they are read."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.web.formats import STILL, Format

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


class Options(BaseModel):
    """Options are known by name; a misspelt one is an error, not a silent default."""

    # A class or a number of channels may come as a number of JSON, where the option is a text.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
