"""A request's body as named fields: a form, JSON, or a picture alone."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.multipart import EXAMPLE, MAX_PARTS, BadBody, Part, decode_text, parts_of
from app.pictures_in_text import begins_as_picture
from models.pictures import READ

BINARY = ("application/octet-stream", "binary/octet-stream")
FORM = "application/x-www-form-urlencoded"
WAYS = (
    f"send the picture as the form field image (curl {EXAMPLE}), alone as the body with its Content-Type image/* "
    '(curl --data-binary @cat.jpg -H "Content-Type: image/jpeg"), or in base64 as JSON ({"image": "..."})'
)
"""How a picture may come, for messages."""
MAX_OPTION = 10_000
"""Bytes of an option's text."""


@dataclass(frozen=True)
class Field:
    """One field of a body: bytes where it came in a form or alone, else a JSON value."""

    name: str
    value: Any
    is_file: bool = False
    charset: str | None = None

    def option(self) -> Any:
        """The value of an option: text of a form, or as JSON has it; raises HTTPException 422."""
        if self.is_file:
            raise HTTPException(422, f"{self.name}: a file came: send a text, for example -F {self.name}=VALUE")
        if not isinstance(self.value, bytes | bytearray):
            return self.value
        if len(self.value) > MAX_OPTION:
            raise HTTPException(422, f"{self.name}: {len(self.value):,} bytes came: give at most {MAX_OPTION:,}")
        return decode_text(self.value, self.charset)


async def body_fields(request: Request) -> list[Field]:
    """The body's fields in their order; a picture alone is the field `image`.

    Raises HTTPException: 400 for a body that is not what its Content-Type says, 415 for a type that is not read.
    """
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return [_of_part(part) for part in await parts_of(request, content_type)]
    body = await request.body()
    # Content decides: curl --data-binary calls a picture a form, and others do not name a type at all.
    if begins_as_picture(body) or kind.startswith("image/") or kind in BINARY:
        return [Field("image", body, is_file=True)]
    if kind == "application/json" or kind.endswith("+json"):
        return _of_json(body)
    if kind == FORM:
        return _of_urlencoded(body)
    if not body:
        return []
    came = f"a body of type {kind[:100]!r}" if kind else "a body without Content-Type"
    raise HTTPException(415, f"{came} came, and it does not begin as a picture ({READ}): {WAYS}")


def _of_part(part: Part) -> Field:
    return Field(part.name, bytes(part.data), part.is_file, part.charset)


def _of_json(body: bytes) -> list[Field]:
    example = '{"image": "<the file in base64>"}'
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is no valid JSON ({str(error)[:100]}): send for example {example}") from error
    if not isinstance(document, dict):
        raise HTTPException(422, f"the JSON is no object but a {type(document).__name__}: send for example {example}")
    return [Field(name, value) for name, value in document.items() if value is not None]


def _of_urlencoded(body: bytes) -> list[Field]:
    try:  # Latin-1 keeps the bytes as they are
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_PARTS)
    except ValueError as error:
        raise BadBody(f"the form has more than {MAX_PARTS} fields: send one picture and its options") from error
    return [Field(decode_text(name.encode("latin-1")), value.encode("latin-1")) for name, value in pairs]
