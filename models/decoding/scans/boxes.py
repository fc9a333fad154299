"""The boxes of ISO media files (ISO/IEC 14496-12), in which AVIF and HEIC files store their pictures."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from models.decoding.scans import pieces

CONTAINERS = {
    b"meta": (b"", b"moov", b"trak"),
    b"iprp": (b"meta",),
    b"ipco": (b"iprp",),
    b"iinf": (b"meta",),
    b"iref": (b"meta",),
    b"moov": (b"",),
    b"trak": (b"moov",),
    b"mdia": (b"trak",),
    b"minf": (b"mdia",),
    b"stbl": (b"minf",),
}
"""Types of boxes that contain boxes, and the boxes in which they do; empty is the file itself."""
BEFORE_BOXES = {b"meta": 4, b"iref": 4, b"iinf": 6}
"""Bytes before the boxes in these: version and flags, and in `iinf` the number of items."""


class Box(NamedTuple):
    """A box: type, start and end of its contents, the type of the box around it, and that of the outermost."""

    kind: bytes
    start: int
    end: int
    parent: bytes
    top: bytes


def boxes(data: bytes, kind: str) -> Iterator[Box]:
    """All boxes, also those within others, in their order; raises BrokenPicture for too many.

    `kind` is the format, for the message.
    """
    waiting, count = [(0, len(data), b"", b"")], 0
    while waiting:
        place, stop, parent, top = waiting.pop()
        while place + 8 <= stop:
            count += 1
            pieces.check_count(count, 0, kind)
            length, name = struct.unpack_from(">I4s", data, place)
            head = 8
            if length == 1 and place + 16 <= stop:
                (length,) = struct.unpack_from(">Q", data, place + 8)
                head = 16
            end = stop if length == 0 else min(place + length, stop)
            if end < place + head:
                break
            start = place + head
            yield Box(name, start, end, parent, top or name)
            place = end
            if parent in CONTAINERS.get(name, ()):
                wide = name == b"iinf" and number(data, start, 1) > 0  # a count of 4 bytes in place of 2
                inner = start + BEFORE_BOXES.get(name, 0) + 2 * wide
                waiting += [(place, stop, parent, top), (inner, end, name, top or name)]
                break


def number(data: bytes, place: int, width: int) -> int:
    """The whole number of `width` bytes at `place`."""
    return int.from_bytes(data[place : place + width], "big")
