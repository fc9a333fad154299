"""Reading the header of a JPEG 2000 codestream (ISO/IEC 15444-1, A.5.1), which the box around it may contradict."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from models.decoding.errors import BrokenPicture, UnclearLevels

START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
"""The markers SOC and SIZ, with which every codestream begins."""

MOST_TILES = 10_000
"""Largest number of tiles of a picture; each takes some kilobytes of memory before a pixel is decoded."""
MOST_BOXES = 1_000
"""Largest number of boxes of a file that are searched for the codestream."""
MOST_LAYERS = 1_000
"""Largest number of quality layers."""
SMALLEST_BLOCK = 8
"""Base-2 logarithm of the fewest pixels (256) of a code block, and of a precinct on average."""
FEW_PRECINCTS = 10_000
"""Number of precincts that may be smaller than that."""


@dataclass(frozen=True)
class Codestream:
    """Width and height in pixels, number of tiles, and bits per sample of each channel."""

    width: int
    height: int
    tiles: int
    bits: tuple[int, ...]


def codestream(data: bytes) -> Codestream:
    """Read the header of the codestream; raises BrokenPicture, or UnclearLevels if the samples have a sign."""
    place = 0 if data.startswith(START_OF_CODESTREAM) else _box(data)
    try:
        right, bottom, left, top, tile_w, tile_h, tile_x, tile_y, count = struct.unpack_from(">8IH", data, place + 8)
        kinds = data[place + 42 : place + 42 + 3 * count : 3]
        columns, rows = -(-(right - tile_x) // tile_w), -(-(bottom - tile_y) // tile_h)
    except (struct.error, ZeroDivisionError) as error:
        raise BrokenPicture("the header of the JPEG 2000 picture cannot be read", "send it whole") from error
    if not kinds or any(kind & 0x80 for kind in kinds):
        raise UnclearLevels("the JPEG 2000 picture holds numbers with a sign", "convert it to 8 bits per channel")
    return Codestream(right - left, bottom - top, columns * rows, tuple((kind & 0x7F) + 1 for kind in kinds))


def check(data: bytes, width: int, height: int) -> None:
    """Raise BrokenPicture if the codestream has another size than its box says, or parts that are too small.

    A part that is too small costs more memory and time than its pixels do.
    """
    stream = codestream(data)
    if (stream.width, stream.height) != (width, height):
        raise BrokenPicture(
            f"the JPEG 2000 picture is {width} x {height} by its header and {stream.width} x {stream.height} inside",
            "save it again",
        )
    if not 1 <= stream.tiles <= MOST_TILES:
        raise BrokenPicture(
            f"the JPEG 2000 picture has {stream.tiles:,} tiles; {MOST_TILES:,} is the most", "save it again"
        )
    place = 0 if data.startswith(START_OF_CODESTREAM) else _box(data)
    for marker, start in _markers(data, place + 2):
        _check_style(data[start : start + 48], marker == 0xFF52, width, height)


def _check_style(style: bytes, default: bool, width: int, height: int) -> None:
    """Check a coding style, which is that of all components (`default`, A.6.1) or of one (A.6.2)."""
    if default and int.from_bytes(style[4:6], "big") > MOST_LAYERS:
        raise BrokenPicture(f"the JPEG 2000 picture has more than {MOST_LAYERS:,} quality layers", "save it again")
    parameters = style[7 if default else 4 :]
    if len(parameters) < 5:
        raise BrokenPicture("the JPEG 2000 picture ends in its header", "send it whole")
    levels, across, down = parameters[0], parameters[1] & 15, parameters[2] & 15
    precincts = parameters[5 : 6 + levels] if style[2 if default else 3] & 1 else b""
    count = sum(
        (1 + (width >> levels - resolution >> (size & 15))) * (1 + (height >> levels - resolution >> (size >> 4)))
        for resolution, size in enumerate(precincts)
    )
    if across + down + 4 < SMALLEST_BLOCK or count > FEW_PRECINCTS + (width * height >> SMALLEST_BLOCK):
        raise BrokenPicture("the JPEG 2000 picture is cut into smaller blocks than any program writes", "save it again")


def _markers(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Markers and positions of coding styles (COD and COC), in the main header and in those of the tile-parts."""
    tile, length = 0, 0
    for _ in range(20 * MOST_TILES):
        marker = int.from_bytes(data[place : place + 2], "big")
        if marker in (0xFF52, 0xFF53):
            yield marker, place + 2
        if marker == 0xFF90:
            tile, length = place, int.from_bytes(data[place + 6 : place + 10], "big")
        if marker == 0xFF93:  # the pixels of this part, up to the next
            if not length:
                return
            place = tile + length
        elif marker < 0xFF30 or place + 4 > len(data) or marker == 0xFFD9:
            return
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise BrokenPicture("the JPEG 2000 picture consists of more pieces than any program writes", "save it again")


def _box(data: bytes) -> int:
    """Position at which the codestream begins in its box."""
    place = 0
    for _ in range(MOST_BOXES):
        length, kind = struct.unpack_from(
            ">I4s", data.ljust(place + 8, b"\0") if place + 8 > len(data) else data, place
        )
        head = 8
        if length == 1 and place + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        if kind == b"jp2c" and data.startswith(START_OF_CODESTREAM, place + head):
            return place + head
        if length < head or place + length >= len(data):
            break
        place += length
    raise BrokenPicture("the JPEG 2000 file holds no picture", "send it whole")
