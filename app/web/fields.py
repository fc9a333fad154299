"""Types, descriptions and parsers that the fields of several requests share."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    InstanceOf,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from app.web.formats import STILL, Format

MAX_SEED = 2**53 - 1
"""Largest whole number in a request: JavaScript, and so Swagger UI, cannot write larger ones exactly."""


@dataclass(frozen=True)
class OneOf:
    """Metadata of a field whose value must be one of these texts; the field's JSON schema lists them."""

    choices: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": [str(choice) for choice in self.choices]}

    def _check(self, value: object) -> object:
        if value not in self.choices:
            raise ValueError(f"choose one of {', '.join(self.choices)}")
        return value


def one_of(choices: Iterable[str]) -> OneOf:
    """The metadata of a field whose value must be one of the choices."""
    return OneOf(tuple(choices))


FRACTION = r"^[1-9][0-9]{0,3}/[1-9][0-9]{0,4}$"
"""The fractions that the document describes, as a regular expression of JSON Schema."""


def parse_fraction(value: object) -> object:
    """The number that a fraction such as `8/255` stands for; any other value is returned for pydantic to check.

    Raises ValueError where a part of the fraction is not a finite number, or the second is 0.
    """
    if not isinstance(value, str) or value.count("/") != 1:
        return value
    numerator, denominator = (float(part) for part in value.split("/"))
    if denominator == 0 or not math.isfinite(numerator) or not math.isfinite(denominator):
        raise ValueError("a fraction needs two finite numbers, the second not 0")
    return numerator / denominator


def empty_is_none(value: object) -> object:
    """None for an empty text: a form field without a value counts as left out."""
    return None if value == "" else value


def without_empty(values: Any) -> Any:
    """The query parameters without empty ones: `?steps=&seed=3` is read as `?seed=3`."""
    return {key: value for key, value in values.items() if value != ""} if isinstance(values, dict) else values


ModelName = Annotated[str | None, BeforeValidator(empty_is_none)]


Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


SEED = f"Seed of the random number generator, a whole number from 0 to {MAX_SEED}; the same seed gives the same result."


ClassName = Annotated[str | None, BeforeValidator(empty_is_none)]
"""A class by name or index, None where the client names none."""


Deadline = Annotated[float | None, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(empty_is_none)]


DEADLINE = (
    "Time limit in seconds, above 0 and at most 86,400 (a day); the server's own time limit applies where it is "
    "shorter. When the time is over, the response has the best result so far. If the model has not even classified the "
    "picture by then, the response is an error (504)."
)


FormatChoice = Annotated[Annotated[Format, one_of(STILL)] | None, BeforeValidator(empty_is_none)]
"""A format of results that are not animated."""


AnyFormatChoice = Annotated[Annotated[Format, one_of(Format)] | None, BeforeValidator(empty_is_none)]


FILE = {"type": "string", "format": "binary"}


PictureFile = Annotated[bytes, WithJsonSchema(FILE)]
"""The bytes of an uploaded picture, not decoded yet."""


MOST_PICTURES = 64
"""Largest number of pictures in one request of an operation that takes several."""


PictureFiles = Annotated[
    list[bytes | InstanceOf[Exception]],
    WithJsonSchema({"type": "array", "items": FILE, "minItems": 1, "maxItems": MOST_PICTURES}),
]
"""Several uploaded pictures: the bytes of each, not decoded yet, or why its field holds no picture."""


PICTURES = ("image", "mask")
"""Form fields that are pictures; all others are options and may be query parameters as well."""


MODEL = "Name of a served model, as GET /models lists them. Without it the default model answers."


LayerName = Annotated[str, Field(min_length=1, max_length=300)]


FORMAT = (
    "Format of the response: png, jpeg or webp (the picture), json (all figures, with the picture inside) or events "
    "(progress as server-sent events, then the figures). Without it the Accept header decides."
)


class Options(BaseModel):
    """Base of all request models: an unknown or misspelt option is an error, and is never ignored."""

    # In JSON, a class or a number of channels may be a number, although the field is a text.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
