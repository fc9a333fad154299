"""From the JSON of a response to a result, by the types of its fields."""

import base64
import binascii
import dataclasses
import functools
import json
import sys
import types
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from PIL import Image, UnidentifiedImageError

from mirage.errors import UnexpectedResponse
from mirage.results.pictures import WithPictures

Result = TypeVar("Result")
FORMATS = ("PNG", "JPEG", "WEBP")
"""The formats in which the service encodes pictures. No other decoder of Pillow sees what a server sends."""


def parse(text: str | bytes, source: str) -> object:
    """What the JSON says. Raises UnexpectedResponse, which names the source, for anything else."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UnexpectedResponse(f"{source} sent JSON that cannot be read ({error}): try again") from error


def read(kind: type[Result], data: object) -> Result:
    """The result of this kind that the JSON describes.

    Fields that this version does not know are left out: a newer service may have more. Raises UnexpectedResponse where
    a field is missing or has another type.
    """
    result: Result = _value(kind, data, kind.__name__)
    return result


@functools.cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    """The fields of a dataclass that are in the JSON: the type of each, and whether it may be missing."""
    hints = get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is not dataclasses.MISSING)
        for field in dataclasses.fields(kind)
        if field.name != "files"
    }


def _value(kind: Any, data: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, data, name)
    if origin is Literal:
        return _checked(data in arguments, data, name)
    if origin is tuple:
        _checked(isinstance(data, list), data, name)
        return tuple(_value(arguments[0], item, f"{name}[{number}]") for number, item in enumerate(data))
    if origin is Mapping:
        _checked(isinstance(data, dict), data, name)
        return {key: _value(arguments[1], item, f"{name}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, name)
    if kind is Image.Image:
        return _picture(_file(data, name), name)
    if kind is Any:
        return data
    if kind is float:
        _checked(isinstance(data, int | float) and not isinstance(data, bool), data, name)
        return _checked(abs(data) <= sys.float_info.max, data, name) * 1.0
    return _checked(type(data) is kind or (kind is types.NoneType and data is None), data, name)


def _one_of(kinds: tuple[Any, ...], data: Any, name: str) -> Any:
    """The data as the first of the types that it has."""
    for kind in kinds:
        try:
            return _value(kind, data, name)
        except UnexpectedResponse:
            if kind is kinds[-1]:
                raise
    raise AssertionError("a union has at least two types")


def _dataclass(kind: Any, data: Any, name: str) -> Any:
    _checked(isinstance(data, dict), data, name)
    values: dict[str, Any] = {}
    for field, (hint, may_be_missing) in _fields(kind).items():
        if field in data:
            values[field] = _value(hint, data[field], f"{name}.{field}")
        elif not may_be_missing:
            raise UnexpectedResponse(f"the response lacks {name}.{field}: use versions of client and service that fit")
    if issubclass(kind, WithPictures):
        pictures = [field for field, value in values.items() if isinstance(value, Image.Image)]
        values["files"] = {field: _file(data[field], f"{name}.{field}") for field in pictures}
    return kind(**values)


def _file(data: Any, name: str) -> bytes:
    """The picture file in a data URL."""
    _checked(isinstance(data, str), data, name)
    header, comma, content = data.partition(",")
    if not (header.startswith("data:image/") and header.endswith(";base64") and comma):
        raise UnexpectedResponse(f"{name} of the response is no picture in a data URL")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise UnexpectedResponse(f"{name} of the response is damaged ({error}): send the request again") from error


def _picture(content: bytes, name: str) -> Image.Image:
    """The picture, decoded at once: a damaged one is noticed here, and threads can share it."""
    try:
        picture = Image.open(BytesIO(content), formats=FORMATS)
        picture.load()
        return picture
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UnexpectedResponse(f"{name} of the response is no picture that Pillow can read ({error})") from error


def _no_number(name: str) -> float:
    """Refuse NaN and Infinity, which are no JSON, although Python's parser takes them."""
    raise ValueError(f"{name} is no number in JSON")


def _checked(is_valid: bool, data: Any, name: str) -> Any:
    if not is_valid:
        raise UnexpectedResponse(
            f"{name} of the response is {str(data)[:50]!r}, which this version does not know: use versions of client "
            "and service that fit"
        )
    return data
