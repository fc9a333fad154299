"""Reads the picture and the options of a request, in all the ways in which clients may send them."""

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from torch import Tensor

from app.memory.budget import Reservation
from app.memory.costs import Cost, of_decoding
from app.web.fields import MOST_PICTURES, PICTURES
from app.web.service import result_for
from app.web.ticket import Ticket
from app.web.uploads.bodies import WAYS_TO_SEND, Field, body_fields
from app.web.uploads.pictures_in_text import NoPictureInText, picture_of_field
from models.decoding.levels import Admit, Levels
from models.pictures import NotAPicture, PictureError, of_levels

Form = TypeVar("Form", bound=BaseModel)
PIXELS_SETTING = "MIRAGE_MAX_PIXELS"
"""The setting that limits the pixels of an upload, for error messages."""


def form_of(model: type[Form]) -> Callable[[Request], Awaitable[Form]]:
    """A FastAPI dependency that reads the pictures and options of a request into the model.

    Pictures stand in the body, options in the body or the query. The dependency raises HTTPException (400, 413, 415,
    422), RequestValidationError and NotAPicture.
    """

    async def read(request: Request) -> Form:
        # Null means left out, but does not excuse a misspelt name.
        sent = await body_fields(request)
        fields = [field for field in sent if field.value is not None or field.name not in model.model_fields]
        values = _read_options(model, request, fields) | _read_pictures(model, request, fields)
        try:
            return model.model_validate(values)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error

    return read


async def decode_upload(data: bytes, ticket: Ticket, cost: Cost, *, name: str = "image") -> Tensor:
    """Decode an uploaded file to a uint8 picture [3, h, w] on the device of the models.

    The request holds as much memory as decoding takes, and then as much as `cost` says of the picture's pixels. `name`
    is the field of the upload, for error messages. Raises DeadlineExceeded, NeedsTooMuchMemory, CannotDecode and the
    errors of `models.pictures.decode`; what `cost` raises, too.
    """
    service = ticket.service

    def decode_to_device() -> Tensor:
        memory: Reservation | None = None

        def admit(pixels: int) -> None:
            nonlocal memory
            memory = ticket.reserve(of_decoding(pixels) + cost(pixels))

        try:
            with naming(name):
                read = decode(admit)
            # uint8 is copied to the device, which is a quarter of the bytes of float32.
            picture = of_levels(read).pixels.to(service.registry.device)
        except BaseException:
            if memory is not None:
                memory.release()
            raise
        assert memory is not None, "the decoder asks before it decodes"
        memory.shrink(cost(picture.shape[1] * picture.shape[2]))
        ticket.keep(memory)
        return picture

    def decode(admit: Admit) -> Levels:
        return service.decoders.decode(
            data,
            max_pixels=service.settings.max_pixels,
            limit_name=PIXELS_SETTING,
            until=ticket.until,
            admit=admit,
        )

    future = service.decoders.submit(decode_to_device)
    return await result_for(ticket.request, future, ticket.until)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of an upload's field into the errors of the decoder."""
    try:
        yield
    except PictureError as error:
        raise type(error)(f"{name}: {error.fault}", error.remedy) from error


def _read_pictures(model: type[Form], request: Request, fields: Sequence[Field]) -> dict[str, object]:
    names = [name for name in PICTURES if name in model.model_fields]
    for name in names:
        if name in request.query_params:
            raise HTTPException(422, f"{name}: a picture cannot stand in the query: {WAYS_TO_SEND}")
    pictures: dict[str, object] = {}
    for name in names:
        matching = [field for field in fields if field.name == name]
        if get_origin(model.model_fields[name].annotation) is list and (several := _separate(matching)):
            pictures[name] = [_picture_or_refusal(field) for field in several]
            continue
        if len(matching) > 1:
            raise HTTPException(
                422,
                f"{name}: the request has {len(matching)} pictures in this field: send each in a request of its own",
            )
        required = model.model_fields[name].is_required()
        if not matching and required:
            raise HTTPException(422, f"{name}: {_explain_missing_picture(model, fields)}")
        # Browsers send an empty field if no file was chosen.
        if matching and (required or matching[0].value):
            pictures[name] = picture_of_field(name, matching[0].value, is_file=matching[0].is_file)
    return pictures


def _separate(fields: Sequence[Field]) -> list[Field]:
    """One field for each picture, of which JSON has a list; raises HTTPException 413 if there are too many."""
    several = [
        replace(field, value=value)
        for field in fields
        for value in (field.value if isinstance(field.value, list) else [field.value])
    ]
    if len(several) > MOST_PICTURES:
        raise HTTPException(
            413, f"{fields[0].name}: the request has {len(several)} pictures: send at most {MOST_PICTURES} in each"
        )
    return several


def _picture_or_refusal(field: Field) -> bytes | Exception:
    """The bytes of a picture among several, or the error of a field that obviously holds none."""
    try:
        return picture_of_field(field.name, field.value, is_file=field.is_file)
    except (NotAPicture, NoPictureInText) as error:
        return error


def _explain_missing_picture(model: type[Form], fields: Sequence[Field]) -> str:
    unknown = [field.name for field in fields if field.name not in model.model_fields]
    candidates = [field.name for field in fields if field.is_file] or unknown
    if candidates:
        return (
            f"the request has no field of this name; if the field {candidates[0][:50]!r} is the picture, call it "
            "image, -F image=@cat.jpg"
        )
    names = f" (it has the fields {', '.join(field.name[:50] for field in fields)})" if fields else ""
    return f"the request has no picture{names}: {WAYS_TO_SEND}"


def _read_options(model: type[Form], request: Request, fields: Sequence[Field]) -> dict[str, object]:
    """The value of each option in the query and the body; an empty value counts as left out."""
    places: dict[str, dict[str, list[object]]] = defaultdict(lambda: defaultdict(list))
    for name, value in request.query_params.multi_items():
        places[name]["query"].append(value)
    for field in fields:
        if field.name not in PICTURES or field.name not in model.model_fields:
            is_option = field.name in model.model_fields
            places[field.name]["body"].append(field.option() if is_option else None)
    list_options = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    options: dict[str, object] = {}
    for name, by_place in places.items():
        if name in list_options:
            lists = {place: _flat(values) for place, values in by_place.items()}
            given: dict[str, object] = {place: values for place, values in lists.items() if values != [""]}
            if given:
                options[name] = _only_value(name, given)
            continue
        flat = {
            f"{place} {number}": value
            for place, values in by_place.items()
            for number, value in enumerate(values)
            if value != ""
        }
        if flat:
            options[name] = _only_value(name, flat)
    return options


def _only_value(name: str, values: Mapping[str, object]) -> object:
    """The value, if the option has the same one in all places; raises HTTPException 422."""
    first, *others = values.values()
    for value in others:
        if _comparable(value) != _comparable(first):
            raise HTTPException(
                422,
                f"{name}: the request has two values of this option, {str(first)[:50]!r} and {str(value)[:50]!r}: send "
                "only one",
            )
    return first


def _flat(values: Sequence[object]) -> list[object]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _comparable(value: object) -> object:
    """The value in a form in which a text of the query equals a JSON value: `3` is 3, and `true` is True."""
    if isinstance(value, list):
        return [part.strip() for item in value for part in str(item).split(",")]
    text = str(value).strip().lower()
    try:
        return float(text)
    except ValueError:
        return text
