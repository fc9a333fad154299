"""From a request to its picture and options: the one place that knows in how many ways both may come."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, get_origin

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from torch import Tensor

from app.web.fields import PICTURES
from app.web.service import Service
from app.web.uploads.bodies import WAYS, Field, body_fields
from app.web.uploads.pictures_in_text import picture_of_field
from models.pictures import PictureError, decode

Form = TypeVar("Form", bound=BaseModel)


def form_of(model: type[Form]) -> Callable[[Request], Awaitable[Form]]:
    """The dependency that reads a request's pictures and options into the model.

    Pictures come in the body, options in the body or the query. Raises HTTPException (400, 413, 415, 422),
    RequestValidationError, NotAPicture.
    """

    async def read(request: Request) -> Form:
        fields = await body_fields(request)
        values = _options(model, request, fields) | _pictures(model, request, fields)
        try:
            return model.model_validate(values)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error

    return read


async def decoded(data: bytes, service: Service, *, name: str = "image") -> Tensor:
    """The picture uint8 [3, h, w] in a field's file, on the device; raises Overloaded and what the decoder raises."""
    service.engine.check_room()  # no decoding for a house that is full

    def on_device() -> Tensor:
        # uint8 crosses to the device: a quarter of float32's bytes.
        try:
            pixels = decode(data, max_pixels=service.settings.max_pixels, limit_name="MIRAGE_MAX_PIXELS")
        except PictureError as error:
            raise type(error)(f"{name}: {error.fault}", error.remedy) from error
        return pixels.to(service.registry.device)

    return await run_sync(on_device, limiter=service.decoders)


def _pictures(model: type[Form], request: Request, fields: Sequence[Field]) -> dict[str, bytes]:
    names = [name for name in PICTURES if name in model.model_fields]
    for name in names:
        if name in request.query_params:
            raise HTTPException(422, f"{name}: it came in the query, where no picture fits: {WAYS}")
    pictures: dict[str, bytes] = {}
    for name in names:
        came = [field for field in fields if field.name == name]
        if len(came) > 1:
            raise HTTPException(
                422, f"{name}: {len(came)} pictures came, and one is wanted: send each in a request of its own"
            )
        required = model.model_fields[name].is_required()
        if not came and required:
            raise HTTPException(422, f"{name}: {_missing(model, fields)}")
        # A form in a browser sends an empty field where no file was chosen.
        if came and (required or came[0].value):
            pictures[name] = picture_of_field(name, came[0].value, is_file=came[0].is_file)
    return pictures


def _missing(model: type[Form], fields: Sequence[Field]) -> str:
    strange = [field.name for field in fields if field.name not in model.model_fields]
    likely = [field.name for field in fields if field.is_file] or strange
    if likely:
        return f"no field of this name came; is it the one called {likely[0][:50]!r}? Call it image, -F image=@cat.jpg"
    came = f" (fields that came: {', '.join(field.name[:50] for field in fields)})" if fields else ""
    return f"no picture came{came}: {WAYS}"


def _options(model: type[Form], request: Request, fields: Sequence[Field]) -> dict[str, Any]:
    """Each option's value, from wherever it came; one that is empty was not given."""
    places: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for name, value in request.query_params.multi_items():
        places[name]["query"].append(value)
    for field in fields:
        if field.name not in PICTURES or field.name not in model.model_fields:
            known = field.name in model.model_fields
            places[field.name]["body"].append(field.option() if known else None)
    several = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    given: dict[str, Any] = {}
    for name, by_place in places.items():
        if name in several:
            given[name] = _agreed(name, {place: _flat(values) for place, values in by_place.items()})
            continue
        flat = {
            f"{place} {number}": value
            for place, values in by_place.items()
            for number, value in enumerate(values)
            if value != ""
        }
        if flat:
            given[name] = _agreed(name, flat)
    return given


def _agreed(name: str, values: dict[str, Any]) -> Any:
    """The value, where all places have the same; raises HTTPException 422."""
    (_, first), *others = values.items()
    for _, other in others:
        if _plain(other) != _plain(first):
            raise HTTPException(
                422, f"{name}: it came twice, as {str(first)[:50]!r} and as {str(other)[:50]!r}: give it once"
            )
    return first


def _flat(values: Sequence[Any]) -> list[Any]:
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


def _plain(value: Any) -> Any:
    """For comparing a text of the query with what JSON has: `3` is 3, and `true` is True."""
    if isinstance(value, list):
        return [part.strip() for each in value for part in str(each).split(",")]
    text = str(value).strip().lower()
    try:
        return float(text)
    except ValueError:
        return text
