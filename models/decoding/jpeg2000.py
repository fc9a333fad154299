"""Reading the header of a JPEG 2000 codestream (ISO/IEC 15444-1, A.5.1), which the box around it may contradict."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from models.decoding.errors import BrokenPicture, UnclearLevels

START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
"""The markers SOC and SIZ, with which every codestream begins."""

MOST_BOXES = 100
"""Boxes before the codestream, and boxes of the header; Pillow walks them in Python, and programs write about ten."""


@dataclass(frozen=True)
class Codestream:
    """Position in the file, width and height in pixels, number of tiles, and bits per sample of each channel."""

    place: int
    width: int
    height: int
    tiles: int
    bits: tuple[int, ...]


def codestream(data: bytes) -> Codestream:
    """Read the header of the codestream; raises BrokenPicture, or UnclearLevels if the samples have a sign."""
    place = 0 if data.startswith(START_OF_CODESTREAM) else _codestream_in_box(data)
    try:
        right, bottom, left, top, tile_w, tile_h, tile_x, tile_y, count = struct.unpack_from(">8IH", data, place + 8)
        kinds = data[place + 42 : place + 42 + 3 * count : 3]
        columns, rows = -(-(right - tile_x) // tile_w), -(-(bottom - tile_y) // tile_h)
    except (struct.error, ZeroDivisionError) as error:
        raise BrokenPicture("the header of the JPEG 2000 picture cannot be read", "send it whole") from error
    if not kinds or any(kind & 0x80 for kind in kinds):
        raise UnclearLevels("the JPEG 2000 picture holds numbers with a sign", "convert it to 8 bits per channel")
    return Codestream(place, right - left, bottom - top, columns * rows, tuple((kind & 0x7F) + 1 for kind in kinds))


def header_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the contents of each box in the header; raises BrokenPicture if they are too many."""
    header = next((box for box in _boxes(data, 0, len(data)) if box[0] == b"jp2h"), None)
    if header is None:
        raise BrokenPicture("the JPEG 2000 file has no header", "send it whole")
    yield from _boxes(data, *header[1:])


def _codestream_in_box(data: bytes) -> int:
    """Position at which the codestream begins in its box."""
    for kind, start, _ in _boxes(data, 0, len(data)):
        if kind == b"jp2c" and data.startswith(START_OF_CODESTREAM, start):
            return start
    raise BrokenPicture("the JPEG 2000 file holds no picture", "send it whole")


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the contents of each box between two positions, up to the first that is damaged."""
    for _ in range(MOST_BOXES):
        if place + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if length == 1 and place + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        if length == 0 and kind == b"jp2c":  # the last box may leave its length open
            length = end - place
        if length < head:
            return
        yield kind, place + head, min(place + length, end)
        place += length
    raise BrokenPicture("the JPEG 2000 picture consists of more boxes than any program writes", "save it again")
