"""multipart/form-data (RFC 7578): every part as the bytes that came, with a file name or without."""

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.web.uploads.pictures_in_text import begins_as_picture

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 100
EXAMPLE = "-F image=@cat.jpg"
"""How curl sends a picture, for messages."""
CLIENTS = f"form's boundary (curl {EXAMPLE}; fetch with a FormData body; requests with files=)"
PREAMBLE = 8192
"""Bytes that may stand before the first part (RFC 2046, 5.1.1): a greeting of e-mail programs."""


class BadBody(HTTPException):
    """A body that is not what its Content-Type or Content-Encoding says."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


@dataclass
class Part:
    """One field of a form; `is_file` says whether it came with a file name."""

    name: str
    charset: str | None
    is_file: bool
    data: bytearray = field(default_factory=bytearray)

    def text(self) -> str:
        """The bytes as text; raises BadBody."""
        return decode_text(self.data, self.charset)


async def parts_of(request: Request, content_type: str) -> list[Part]:
    """The form's parts in their order; raises BadBody for what is no whole form."""
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        await request.body()  # many clients listen to the answer only when they have sent all
        raise BadBody(
            "the Content-Type multipart/form-data came without a boundary: leave this header out, since the client "
            f"writes it with the {CLIENTS}, or send the picture alone as the body with Content-Type: image/png"
        )
    collector = _Collector(_charset(parameters))
    head, begun = b"", False
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in request.stream():
            if not begun:
                head += chunk
                place = 0 if head.startswith(b"--" + boundary) else head.find(b"\n--" + boundary) + 1 or None
                if place is None and len(head) < PREAMBLE:
                    continue
                chunk, begun = head[place or 0 :], True
            parser.write(chunk)
        if not begun:
            parser.write(head)
    except FormParserError as error:
        raise BadBody(f"{_why_no_form(head, boundary)}, for example curl {EXAMPLE}") from error
    if not collector.ended:
        came = "breaks off before its closing boundary" if head else "is empty (0 bytes)"
        raise BadBody(f"the form {came}: send the whole of it, for example with curl {EXAMPLE}")
    return collector.parts


def _why_no_form(head: bytes, boundary: bytes) -> str:
    """What is wrong with a form, by its first bytes, and what to do."""
    client = "send the picture with a client that builds the form"
    if b"--" + boundary + b"\n" in head:
        return f"the form's lines end in LF alone, and CRLF (\\r\\n) is wanted: end each line so, or {client}"
    if begins_as_picture(head):
        return f"a picture alone came as multipart/form-data: send it with Content-Type: image/png, or {client}"
    came = re.match(rb"\s*--([^\r\n]{1,70})\r?\n", head)
    if came and came[1].strip() == boundary:
        return (
            "the lines before a part's data cannot be read (each ends in CRLF, is one line, and has at most 4 KB): "
            f"{client}"
        )
    if came:
        return (
            f"the form's parts are divided by {came[1].decode('latin-1')!r}, and its Content-Type names the boundary "
            f"{boundary[:70].decode('latin-1')!r}: leave the header Content-Type to the client"
        )
    return f"the body is no multipart form with the boundary that its Content-Type names: {client}"


def _charset(parameters: dict[bytes, bytes]) -> str | None:
    """The encoding of text that the form names; None where it names none, or one that nobody knows."""
    try:
        return codecs.lookup(parameters[b"charset"].decode("latin-1")).name
    except (KeyError, LookupError, ValueError):
        return None


def decode_text(data: bytes | bytearray, charset: str | None = None) -> str:
    """Text of a form: in the charset that it names, else UTF-8, else Latin-1, which reads any bytes; raises BadBody."""
    if charset is not None:
        try:
            return data.decode(charset)
        except (UnicodeError, LookupError) as error:  # LookupError: an encoding of something else than text
            raise BadBody("the form's charset cannot be read: send the form as UTF-8") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class _Collector:
    """Gathers the parts while the parser calls."""

    def __init__(self, charset: str | None) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._charset = charset
        self._header, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_header,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_data,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise BadBody(f"the form has more than {MAX_PARTS} fields: send one picture and its options")
        self._headers = {}

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _begin_data(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        _, of_type = parse_options_header(self._headers.get(b"content-type"))
        if b"name" not in options:
            raise BadBody(f"a part of the form has no name: send the picture as the field image, {EXAMPLE}")
        name = decode_text(options[b"name"], self._charset)
        charset = _charset(of_type) or self._charset  # RFC 7578, 4.5
        self.parts.append(Part(name, charset, b"filename" in options or b"filename*" in options))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _end(self) -> None:
        self.ended = True
