"""multipart/form-data (RFC 7578): every part as the bytes that came, with a file name or without."""

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 100
EXAMPLE = "-F image=@cat.jpg"
"""How curl sends a picture, for messages."""


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
            f"writes it with the boundary (curl {EXAMPLE}; fetch with a FormData body; requests with files=), or send "
            "the picture alone as the body with Content-Type: image/png"
        )
    collector = _Collector(_charset(parameters))
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
    except FormParserError as error:
        raise BadBody(
            "the body is no multipart form with the boundary that its Content-Type names: send the picture with a "
            f"client that builds the form, for example curl {EXAMPLE}"
        ) from error
    if not collector.ended:
        raise BadBody(
            f"the form breaks off before its closing boundary: send the whole of it, for example with curl {EXAMPLE}"
        )
    return collector.parts


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
        self._header, self._value, self._disposition = b"", b"", b""

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
        self._disposition = b""

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _begin_data(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise BadBody(f"a part of the form has no name: send the picture as the field image, {EXAMPLE}")
        name = decode_text(options[b"name"], self._charset)
        self.parts.append(Part(name, self._charset, b"filename" in options or b"filename*" in options))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _end(self) -> None:
        self.ended = True
