"""A request's body as named fields: a form, JSON, or a picture alone."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.web.uploads.multipart import CLIENTS, EXAMPLE, MAX_PARTS, BadBody, Part, decode_text, parts_of
from app.web.uploads.pictures_in_text import begins_as_picture, json_name, text_begins_as_picture
from models.pictures import READ

BINARY = ("application/octet-stream", "binary/octet-stream")
FORM = "application/x-www-form-urlencoded"
TEXTS = ("", "text/plain", "text/json", FORM)
"""Types under which clients send JSON that name no type themselves: fetch says text/plain, and `curl -d` says FORM."""
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
    if kind == FORM:
        _refuse_without_line_breaks(body)
    # Content decides: curl --data-binary calls a picture a form, and others do not name a type at all.
    if begins_as_picture(body):
        return [Field("image", body, is_file=True)]
    if re.match(rb"\s*--[^\r\n]+\r?\nContent-Disposition: *form-data", body, re.IGNORECASE):
        came = f"with the Content-Type {kind[:100]!r}" if kind else "without a Content-Type"
        raise BadBody(
            f"a form came {came}: let the client write this header, as multipart/form-data with the {CLIENTS}"
        )
    if kind == "application/json" or kind.endswith("+json") or (kind in TEXTS and body[:100].lstrip()[:1] == b"{"):
        return _of_json(body)
    if kind.startswith("image/") or kind in BINARY:
        return [Field("image", body, is_file=True)]
    if text_begins_as_picture(body):
        return [Field("image", body)]
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
        # Not strict, since shells put base64 with its line breaks into a string: "$(base64 cat.jpg)".
        document = json.loads(body, strict=False, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is no valid JSON ({str(error)[:100]}): send for example {example}") from error
    if not isinstance(document, dict):
        came = json_name(document)
        raise HTTPException(422, f"the JSON is {came}, and an object is wanted: send for example {example}")
    return [Field(name, value) for name, value in document.items() if value is not None]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise HTTPException(422, f"{name[:50]}: the JSON object has this field {times} times: give it once")
    return document


def _refuse_without_line_breaks(body: bytes) -> None:
    """Tell who sent a picture with `curl -d @cat.jpg`, which takes the bytes of line breaks out of the file."""
    if body.startswith((b"\x89PNG\x1a", b"\xff\xd8\xff")) and len(body) > 2000 and not re.search(rb"[\r\n]", body):
        raise HTTPException(
            422,
            "image: the picture came without all bytes that stand for line breaks, as curl -d sends a file: send it "
            f"whole with curl --data-binary @cat.jpg or curl {EXAMPLE}",
        )


def _of_urlencoded(body: bytes) -> list[Field]:
    try:  # Latin-1 keeps the bytes as they are
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_PARTS)
    except ValueError as error:
        raise BadBody(f"the form has more than {MAX_PARTS} fields: send one picture and its options") from error
    return [Field(decode_text(name.encode("latin-1")), value.encode("latin-1")) for name, value in pairs]
