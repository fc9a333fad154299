"""Pictures that are sent as text, in base64 or as a data URL, and error messages about other texts in their place."""

import base64
import binascii
import re

from starlette.exceptions import HTTPException

from models.decoding.kinds import kind_of
from models.pictures import READ, NotAPicture

DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
LINE_BREAKS = "\r\n\t\f\v"
LEAST_LINE = 10
"""Smallest mean number of characters in a line of base64."""
LINE_LENGTHS = (60, 64, 72, 76)
"""Usual numbers of characters in a line of base64."""
HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}){32}")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
HEAD_BYTES = 1024
"""Number of bytes at the start of a file from which its format is recognised."""
HEAD_CHARACTERS = 300
"""Number of characters at the start of a text from which its kind is recognised."""
MIN_CHARACTERS = 64
"""Smallest number of characters of base64 that goes to the decoder although its format is unknown; shorter texts may be
ordinary words."""


class NoPictureInText(HTTPException):
    """A field that should hold a picture holds something else."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


def begins_as_picture(data: bytes | bytearray) -> bool:
    """Whether the first bytes are those of a picture file; only the decoder finds out whether the file is valid."""
    try:
        return bool(kind_of(bytes(data[:HEAD_BYTES])))
    except NotAPicture:
        return False


def text_begins_as_picture(data: bytes) -> bool:
    """Whether the bytes are the start of a text that contains a picture, in base64 or as a data URL."""
    start = data[:HEAD_BYTES].lstrip()
    if DATA_URL.match(start.decode("latin-1")):
        return True
    head = re.match(rb"[A-Za-z0-9+/_-]{32}", start)
    return head is not None and begins_as_picture(_decode_base64(head[0].decode()) or b"")


def json_name(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def picture_of_field(name: str, value: object, *, is_file: bool) -> bytes:
    """The bytes of the picture file in a field, which holds the file itself or a text that contains it.

    If it is obvious that there is no picture, raises NotAPicture (415) for a file and NoPictureInText (422) for a text.
    Otherwise the decoder decides.
    """
    if not isinstance(value, bytes | bytearray | str):
        raise NoPictureInText(
            f"{name}: the value is {json_name(value)}, not a string: send the file in base64, "
            f'{{"{name}": "<the file in base64>"}}'
        )
    if isinstance(value, str):
        return picture_of_text(name, value)
    data = bytes(value)
    if not data:
        source = "the file" if is_file else "the field"
        raise NotAPicture(
            f"{name}: {source} is empty (0 bytes): choose a picture file in one of the formats {READ}, and send it"
        )
    if begins_as_picture(data):
        return data
    if re.match(rb"--[^\r\n]+\r?\nContent-", data):
        raise NoPictureInText(
            f"{name}: the field holds several files (multipart/mixed), as curl -F {name}=@a.jpg,b.jpg sends them: send "
            f"each in a request of its own, -F {name}=@a.jpg"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    if not is_file:
        return picture_of_text(name, text)
    if (explanation := _explain_known_text(text[:HEAD_CHARACTERS].strip(), name)) is not None:
        raise NotAPicture(f"{name}: {explanation}")
    decoded = _decode_base64(text)
    return decoded if decoded is not None and begins_as_picture(decoded) else data


def picture_of_text(name: str, text: str) -> bytes:
    """The picture file in a data URL or in base64.

    The base64 may have line breaks, lack its padding or use the URL-safe alphabet. Raises NoPictureInText.
    """
    text = text.strip()
    header = DATA_URL.match(text)
    if header and not header[0].lower().endswith(";base64,"):
        raise NoPictureInText(
            f"{name}: the data URL is not in base64: send data:image/png;base64,... or the file, -F {name}=@cat.jpg"
        )
    data = _decode_base64(text[header.end() :] if header else text)
    if data and (header or begins_as_picture(data) or (len(text) >= MIN_CHARACTERS and not HEXADECIMAL.match(text))):
        return data
    raise NoPictureInText(f"{name}: {explain_text(text[:HEAD_CHARACTERS], name)}")


def _decode_base64(text: str) -> bytes | None:
    """The bytes that the text stands for; None if it is not base64."""
    line = _without_line_breaks(text)
    if not BASE64.fullmatch(line):
        return None
    line = line.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(line + "=" * (-len(line) % 4), validate=True)
    except binascii.Error:
        return None


def _without_line_breaks(text: str) -> str:
    """The base64 in one line. A space in it is a `+` that was decoded as in a form, or one of a shell's line breaks."""
    if sum(text.count(character) for character in LINE_BREAKS) > len(text) // LEAST_LINE + 10:
        return text  # no base64, and too many lines to look at each
    line = "".join(part.strip() for part in re.split(f"[{LINE_BREAKS}]", text))
    # $(base64 cat.jpg) without quotes: the shell turns the line breaks into spaces, at equal distances.
    length = line.find(" ")
    ends = line[length :: length + 1] if length in LINE_LENGTHS else ""
    spaces_are_line_breaks = ends.count(" ") == len(ends) == line.count(" ")
    return line.replace(" ", "" if spaces_are_line_breaks else "+")


def explain_text(start: str, name: str) -> str:
    """What a text in place of a picture is, judged by its start, and what to send instead."""
    file = f"-F {name}=@cat.jpg"
    if not start:
        return f"the field is empty: send a picture file, for example {file}"
    if (explanation := _explain_known_text(start, name)) is not None:
        return explanation
    if "\n" not in start and len(start) < HEAD_CHARACTERS and re.search(r"[/\\]|\.\w{2,5}$", start):
        return (
            f"the field holds the text {start[:80]!r}, not the bytes of a picture: if this is the name of a file, send "
            f"the content of the file; with curl, the character @ does this: {file}"
        )
    return (
        f"the text ({start[:30]!r}...) is not a picture in base64: send the file, {file}, or the whole file in base64; "
        f"these formats are read: {READ}"
    )


def _explain_known_text(start: str, name: str) -> str | None:
    """What a text is that clients often send by mistake, and what to send instead; None for any other text."""
    file = f"-F {name}=@cat.jpg"
    if re.match(r"b['\"]", start):
        return (
            "the text is Python's representation of bytes (b'...'): send base64.b64encode(data).decode(), or the file, "
            f"{file}"
        )
    if HEXADECIMAL.match(start):
        return f"the bytes are in hexadecimal ({start[:16]}...): send them in base64, or the file, {file}"
    if re.match(r"[a-z][a-z0-9+.-]*://", start, re.IGNORECASE):
        return (
            f"the field holds the URL {start[:80]!r}, but this service fetches nothing from the network: download the "
            f"picture first (curl -o cat.jpg URL) and send the file, {file}"
        )
    if re.match(r"<!doctype html|<html|<head|<body", start, re.IGNORECASE):
        return f"the content is a web page (HTML), not a picture: download the picture itself and send it, {file}"
    return None
