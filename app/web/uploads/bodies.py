"""Reads the body of a request as named fields, whether it is a form, JSON or the picture itself."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.web.uploads.multipart import CLIENTS, EXAMPLE, MAX_PARTS, BadBody, Part, decode_text, read_parts
from app.web.uploads.pictures_in_text import begins_as_picture, json_name, text_begins_as_picture
from models.pictures import READ

BINARY_TYPES = ("application/octet-stream", "binary/octet-stream")
URLENCODED = "application/x-www-form-urlencoded"
UNSPECIFIC_TYPES = ("", "text/plain", "text/json", URLENCODED)
"""Media types of JSON whose sender has set none: fetch says text/plain, and `curl -d` says URLENCODED."""
WAYS_TO_SEND = (
    f"send the picture as the form field image (curl {EXAMPLE}), as the body itself with its Content-Type image/* "
    '(curl --data-binary @cat.jpg -H "Content-Type: image/jpeg"), or in base64 as JSON ({"image": "..."})'
)
"""The ways to send a picture, for error messages."""
MAX_OPTION_BYTES = 10_000
"""Largest size of the value of an option."""
MAX_VALUES = 10_000
"""Largest number of values in the JSON of a body. A megabyte of JSON may have half a million, which take seconds."""
MAX_ESCAPES = 1_000_000
"""Largest number of escaped bytes in a urlencoded body: a picture of the largest size has 600,000 in its base64."""


@dataclass(frozen=True)
class Field:
    """One field of a body. Its value is bytes in a form and in a body that is the picture itself, else a JSON value."""

    name: str
    value: object
    is_file: bool = False
    charset: str | None = None

    def option(self) -> object:
        """The value as that of an option, a text or a JSON value; raises HTTPException 422.

        JSON's true and false become texts, as in a form: pydantic would read them as the numbers 1 and 0, too.
        """
        if self.is_file:
            raise HTTPException(
                422, f"{self.name}: this option is a text, not a file: send it for example as -F {self.name}=VALUE"
            )
        if isinstance(self.value, bool):
            return str(self.value).lower()
        is_text = isinstance(self.value, bytes | bytearray | str)
        size = len(self.value if is_text else json.dumps(self.value))  # type: ignore[arg-type]
        if size > MAX_OPTION_BYTES:
            raise HTTPException(422, f"{self.name}: its value has {size:,} bytes: send at most {MAX_OPTION_BYTES:,}")
        if not isinstance(self.value, bytes | bytearray):
            return self.value
        return decode_text(self.value, self.charset)


async def body_fields(request: Request) -> list[Field]:
    """The fields of the body in their order; a body that is the picture itself becomes the field `image`.

    Raises HTTPException: 400 if the body is not what its Content-Type says, 415 if the type is not supported, 422 if
    a field is not valid.
    """
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return [_field_of_part(part) for part in await read_parts(request, content_type)]
    body = await request.body()
    if kind == URLENCODED:
        _check_line_breaks(body)
    # The content decides, not the type: curl --data-binary says URLENCODED, and some clients send no type at all.
    if begins_as_picture(body):
        return [Field("image", body, is_file=True)]
    if re.match(rb"\s*--[^\r\n]+\r?\nContent-Disposition: *form-data", body, re.IGNORECASE):
        header = f"with the Content-Type {kind[:100]!r}" if kind else "without a Content-Type"
        raise BadBody(
            f"the body is a form {header}: let the client write this header, as multipart/form-data with the {CLIENTS}"
        )
    looks_like_json = body[:100].lstrip()[:1] == b"{"
    if kind == "application/json" or kind.endswith("+json") or (kind in UNSPECIFIC_TYPES and looks_like_json):
        return _read_json(body)
    if kind.startswith("image/") or kind in BINARY_TYPES:
        return [Field("image", body, is_file=True)]
    if text_begins_as_picture(body):
        return [Field("image", body)]
    if kind == URLENCODED:
        return _read_urlencoded(body)
    if not body:
        return []
    description = f"the body, of type {kind[:100]!r}," if kind else "the body, without Content-Type,"
    raise HTTPException(415, f"{description} is not a picture in one of the formats {READ}: {WAYS_TO_SEND}")


def _field_of_part(part: Part) -> Field:
    return Field(part.name, bytes(part.data), part.is_file, part.charset)


def _read_json(body: bytes) -> list[Field]:
    example = '{"image": "<the file in base64>"}'
    if sum(body.count(character) for character in (b",", b"[", b"{")) > MAX_VALUES:
        raise HTTPException(422, f"the JSON of the body has over {MAX_VALUES:,} values: send for example {example}")
    try:
        # Not strict: JSON that a shell has built may have line breaks in a string, as in "$(base64 cat.jpg)".
        document = json.loads(body, strict=False, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not valid JSON ({str(error)[:100]}): send for example {example}") from error
    if not isinstance(document, dict):
        raise HTTPException(
            422, f"the JSON of the body is {json_name(document)}, not an object: send for example {example}"
        )
    if len(document) > MAX_PARTS:
        raise BadBody(f"the JSON object has over {MAX_PARTS} fields: send fewer pictures and options in one request")
    return [Field(name, value) for name, value in document.items()]


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The JSON object with these fields; raises HTTPException 422 if two have the same name."""
    document = dict(pairs)
    if len(document) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise HTTPException(422, f"{name[:50]}: the JSON object has this field {times} times: send it once")
    return document


def _check_line_breaks(body: bytes) -> None:
    """Refuse a picture that was sent with `curl -d @cat.jpg`, which removes the bytes of line breaks from the file."""
    if body.startswith((b"\x89PNG\x1a", b"\xff\xd8\xff")) and len(body) > 2000 and not re.search(rb"[\r\n]", body):
        raise HTTPException(
            422,
            "image: the picture lacks all bytes that stand for line breaks, because curl -d removes them: send the "
            f"whole file with curl --data-binary @cat.jpg or curl {EXAMPLE}",
        )


def _read_urlencoded(body: bytes) -> list[Field]:
    not_ascii = len(body) - len(body.decode("ascii", "ignore"))
    if body.count(b"%") + not_ascii > MAX_ESCAPES:
        raise BadBody(f"the form has more than {MAX_ESCAPES:,} escaped bytes: {WAYS_TO_SEND}")
    try:  # Latin-1 maps every byte to one character, so that nothing is lost
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_PARTS)
    except ValueError as error:
        raise BadBody(f"the form has more than {MAX_PARTS} fields: send fewer in one request") from error
    return [Field(decode_text(name.encode("latin-1")), value.encode("latin-1")) for name, value in pairs]
