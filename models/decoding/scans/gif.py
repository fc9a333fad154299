"""GIF (www.w3.org/Graphics/GIF/spec-gif89a.txt): a screen, then extensions and pictures, all in blocks of 255 bytes."""

import re

from models.decoding.errors import BrokenPicture
from models.decoding.scans import pieces

START = re.compile(rb"[!,;]")
"""The first byte of an extension, a picture, or the end of the file; decoders skip other bytes between them."""
CONTROL = b"\xf9\x04"
"""Label and length of the extension that states the transparent colour of the picture after it."""


def trimmed(data: bytes) -> bytes:
    """The file without the extensions before its first picture, but for the one that states its transparent colour.

    What follows that picture is not read, so an animation may be long. Raises BrokenPicture for more blocks than any
    program writes, or a file without a picture.
    """
    start = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    place, count, control = start, 0, b""
    while (found := START.search(data, place)) and found[0] != b";":
        place = found.start()
        if found[0] == b",":
            return (
                data if place == start + len(control) else b"".join((data[:start], control, memoryview(data)[place:]))
            )
        end = place + 2
        while end < len(data) and data[end] and count <= pieces.MOST_SUB_BLOCKS:
            end += 1 + data[end]
            count += 1
        count += 1
        if count > pieces.MOST_SUB_BLOCKS:
            raise pieces.refuse("GIF", count, "blocks or more before its first picture", pieces.MOST_SUB_BLOCKS)
        if data[place + 1 : place + 3] == CONTROL:
            control = data[place : end + 1]
        place = end + 1
    raise BrokenPicture("the GIF ends before its first picture", "send it whole")
