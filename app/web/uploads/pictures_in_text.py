"""Pictures that come as text (base64, a data URL), and what to tell who sent another text in a picture's place."""

import base64
import binascii
import re
from typing import Any

from starlette.exceptions import HTTPException

from models.decoding.kinds import kind_of
from models.pictures import READ, NotAPicture

DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
LINE_LENGTHS = (60, 64, 72, 76)
"""Characters in a line of base64, as programs write it."""
HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}){32}")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
HEAD = 1024
"""Bytes that tell a format."""
LOOK = 300
"""Characters that are looked at to tell what a text is."""
SHORTEST = 64
"""Characters of base64 that may be a picture, where its first bytes are none that is known; a word is no base64."""


class NoPictureInText(HTTPException):
    """A text where a picture should be."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


def begins_as_picture(data: bytes | bytearray) -> bool:
    """Whether the first bytes are those of a picture file; the decoder judges the rest."""
    try:
        return bool(kind_of(bytes(data[:HEAD])))
    except NotAPicture:
        return False


def text_begins_as_picture(data: bytes) -> bool:
    """Whether the bytes are a text that holds a picture: base64, or a data URL."""
    start = data[:HEAD].lstrip()
    if DATA_URL.match(start.decode("latin-1")):
        return True
    head = re.match(rb"[A-Za-z0-9+/_-]{32}", start)
    return head is not None and begins_as_picture(_of_base64(head[0].decode()) or b"")


def json_name(value: Any) -> str:
    """What JSON calls a value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def picture_of_field(name: str, value: Any, *, is_file: bool) -> bytes:
    """The bytes of the picture in a field: a file, or a text that holds one.

    Raises NoPictureInText (415 for a file, 422 for a text) where it is seen at once that there is none; all else is
    left to the decoder.
    """
    if not isinstance(value, bytes | bytearray | str):
        raise NoPictureInText(
            f"{name}: {json_name(value)} came, and a string is wanted: send the file in base64, "
            f'{{"{name}": "<the file in base64>"}}'
        )
    if isinstance(value, str):
        return picture_of_text(name, value)
    data = bytes(value)
    if not data:
        came = "the file" if is_file else "it"
        raise NotAPicture(
            f"{name}: {came} is empty (0 bytes): choose a file with a picture, and send one of these: {READ}"
        )
    if begins_as_picture(data):
        return data
    if re.match(rb"--[^\r\n]+\r?\nContent-", data):
        raise NoPictureInText(
            f"{name}: several files came in one field (multipart/mixed), as curl -F {name}=@a.jpg,b.jpg sends them: "
            f"send each in a request of its own, -F {name}=@a.jpg"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    if not is_file:
        return picture_of_text(name, text)
    if (known := _known_text(text[:LOOK].strip(), name)) is not None:
        raise NotAPicture(f"{name}: {known}")
    packed = _of_base64(text)
    return packed if packed is not None and begins_as_picture(packed) else data


def picture_of_text(name: str, text: str) -> bytes:
    """The picture in a data URL or in base64 (also wrapped, unpadded or URL-safe); raises NoPictureInText."""
    text = text.strip()
    header = DATA_URL.match(text)
    if header and not header[0].lower().endswith(";base64,"):
        raise NoPictureInText(
            f"{name}: a data URL came that is not in base64: send data:image/png;base64,... or the file, "
            f"-F {name}=@cat.jpg"
        )
    data = _of_base64(text[header.end() :] if header else text)
    if data and (header or begins_as_picture(data) or (len(text) >= SHORTEST and not HEXADECIMAL.match(text))):
        return data
    raise NoPictureInText(f"{name}: {what_came(text[:LOOK], name)}")


def _of_base64(text: str) -> bytes | None:
    packed = _without_line_breaks(text)
    if not BASE64.fullmatch(packed):
        return None
    packed = packed.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return None


def _without_line_breaks(text: str) -> str:
    """Base64 in one line; a space in it is the `+` that the decoding of a form has made a space."""
    line = "".join(part.strip() for part in re.split(r"[\r\n\t\f\v]", text))
    # A shell's $(base64 cat.jpg) without quotes has spaces where its lines ended.
    length = line.find(" ")
    ends = line[length :: length + 1] if length in LINE_LENGTHS else ""
    wrapped = ends.count(" ") == len(ends) == line.count(" ")
    return line.replace(" ", "" if wrapped else "+")


def what_came(start: str, name: str) -> str:
    """What a text in a picture's place is, by its beginning, and what to send instead."""
    file = f"-F {name}=@cat.jpg"
    if not start:
        return f"it is empty: send a picture file, for example {file}"
    if (known := _known_text(start, name)) is not None:
        return known
    if "\n" not in start and len(start) < LOOK and re.search(r"[/\\]|\.\w{2,5}$", start):
        return (
            f"the text {start[:80]!r} came in place of the picture's bytes: if it is the name of a file, send what is "
            f"in the file; with curl the @ does that: {file}"
        )
    return (
        f"the text that came ({start[:30]!r}...) is no picture in base64: send the file, {file}, or all of the file "
        f"in base64; these are read: {READ}"
    )


def _known_text(start: str, name: str) -> str | None:
    file = f"-F {name}=@cat.jpg"
    if re.match(r"b['\"]", start):
        return f"Python's way to print bytes came (b'...'): send base64.b64encode(data).decode(), or the file, {file}"
    if HEXADECIMAL.match(start):
        return f"the bytes came in hexadecimal ({start[:16]}...): send them in base64, or the file, {file}"
    if re.match(r"[a-z][a-z0-9+.-]*://", start, re.IGNORECASE):
        return (
            f"the address {start[:80]!r} came, and this service fetches nothing from the network: download the "
            f"picture first (curl -o cat.jpg ADDRESS) and send the file, {file}"
        )
    if re.match(r"<!doctype html|<html|<head|<body", start, re.IGNORECASE):
        return f"a web page (HTML) came in place of a picture: download the picture itself and send it, {file}"
    return None
