"""Reads a body of type multipart/form-data (RFC 7578): every part with its name and its bytes."""

import re
from dataclasses import dataclass, field
from encodings.aliases import aliases
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.web.uploads.pictures_in_text import begins_as_picture

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 100
"""Largest number of fields in a form."""
EXAMPLE = "-F image=@cat.jpg"
"""The option with which curl sends a picture, for error messages."""
CLIENTS = f"form's boundary (curl {EXAMPLE}; fetch with a FormData body; requests with files=)"
"""End of a sentence that says which clients write the header Content-Type of a form, for error messages."""
SLOW_OR_NO_TEXT = ("idna", "punycode", "utf_7", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem")
"""Python's encodings that take seconds for a megabyte, or that are none of other programs' texts."""
CODECS = {
    codec
    for codec in aliases.values()
    if codec not in SLOW_OR_NO_TEXT and not codec.endswith("_codec") and codec != "rot_13"
}
CHARSETS = {alias: codec for alias, codec in aliases.items() if codec in CODECS} | {codec: codec for codec in CODECS}
"""Encodings of texts by the names that a form may give them. Python would keep every other name for ever, too."""
MAX_PREAMBLE = 8192
"""Largest number of bytes before the first part. RFC 2046, 5.1.1 allows a text there, which e-mail programs write."""


class BadBody(HTTPException):
    """The body is not what its Content-Type or Content-Encoding says."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


@dataclass
class Part:
    """One field of a form; `is_file` says whether it has a file name."""

    name: str
    charset: str | None
    is_file: bool
    data: bytearray = field(default_factory=bytearray)

    def text(self) -> str:
        """The data decoded as text; raises BadBody."""
        return decode_text(self.data, self.charset)


async def read_parts(request: Request, content_type: str) -> list[Part]:
    """The parts of the form in their order; raises BadBody if the body is not a complete form."""
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        await request.body()  # many clients read the response only after they have sent the whole body
        raise BadBody(
            "the Content-Type multipart/form-data has no boundary: do not set this header yourself, since the client "
            f"writes it with the {CLIENTS}; or send the picture as the body itself with Content-Type: image/png"
        )
    collector = _Collector(_charset(parameters))
    head, first_part_found = b"", False
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in request.stream():
            if not first_part_found:
                head += chunk
                place = 0 if head.startswith(b"--" + boundary) else head.find(b"\n--" + boundary) + 1 or None
                if place is None and len(head) < MAX_PREAMBLE:
                    continue
                chunk, first_part_found = head[place or 0 :], True
            parser.write(chunk)
        if not first_part_found:
            parser.write(head)
    except FormParserError as error:
        raise BadBody(f"{_explain_bad_form(head, boundary)}, for example curl {EXAMPLE}") from error
    if not collector.ended:
        fault = "breaks off before its closing boundary" if head else "is empty (0 bytes)"
        raise BadBody(f"the form {fault}: send the whole form, for example with curl {EXAMPLE}")
    return collector.parts


def _explain_bad_form(head: bytes, boundary: bytes) -> str:
    """What is wrong with a form, judged by its first bytes, and what to do next."""
    client = "send the picture with a client that builds the form"
    if b"--" + boundary + b"\n" in head:
        return f"the lines of the form end with LF, not with CRLF (\\r\\n): end each line with CRLF, or {client}"
    if begins_as_picture(head):
        return (
            "the body is a picture, but its Content-Type is multipart/form-data: send it with Content-Type: image/png, "
            f"or {client}"
        )
    divider = re.match(rb"\s*--([^\r\n]{1,70})\r?\n", head)
    if divider and divider[1].strip() == boundary:
        return (
            "the header lines of a part cannot be read (each is a single line of at most 4 KB and ends with CRLF): "
            f"{client}"
        )
    if divider:
        return (
            f"the parts of the form are separated by {divider[1].decode('latin-1')!r}, but its Content-Type names the "
            f"boundary {boundary[:70].decode('latin-1')!r}: let the client write the header Content-Type"
        )
    return f"the body is not a multipart form with the boundary that its Content-Type names: {client}"


def _charset(parameters: dict[bytes, bytes]) -> str | None:
    """Python's name of the character encoding in the parameters; None if there is none or it is unknown."""
    name = parameters.get(b"charset", b"").decode("latin-1").lower().replace("-", "_")
    return CHARSETS.get(name)


def decode_text(data: bytes | bytearray, charset: str | None = None) -> str:
    """Decode a text of a form: in its charset if it names one, else in UTF-8, else in Latin-1, which reads any bytes.

    Raises BadBody if the text is not valid in the charset.
    """
    if charset is not None:
        try:
            return data.decode(charset)
        except (UnicodeError, LookupError) as error:  # LookupError: a codec that is not a text encoding, like base64
            raise BadBody(
                f"a text of the form cannot be decoded in its charset {charset!r}: send the form in UTF-8"
            ) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class _Collector:
    """Collects the parts; its methods are the callbacks of the parser."""

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
            raise BadBody(f"the form has more than {MAX_PARTS} fields: send fewer pictures and options in one request")
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
        _, type_options = parse_options_header(self._headers.get(b"content-type"))
        if b"name" not in options:
            raise BadBody(f"a part of the form has no name: send the picture as the field image, {EXAMPLE}")
        name = decode_text(options[b"name"], self._charset)
        charset = _charset(type_options) or self._charset  # RFC 7578, 4.5
        self.parts.append(Part(name, charset, b"filename" in options or b"filename*" in options))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _end(self) -> None:
        self.ended = True
