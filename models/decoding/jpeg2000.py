"""What the codestream of a JPEG 2000 says of itself (ISO/IEC 15444-1, A.5.1): the box around it may say otherwise."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from models.decoding.errors import BrokenPicture, UnclearLevels

START = b"\xff\x4f\xff\x51"
MOST_TILES = 10_000
"""Each takes some kilobytes before a pixel is decoded."""
MOST_BOXES = 1_000
MOST_LAYERS = 1_000
SMALLEST_BLOCK = 8
"""Of code blocks, and of precincts beyond the first 10,000 on average: the power of two of their pixels, 256."""
FEW_PRECINCTS = 10_000


@dataclass(frozen=True)
class Codestream:
    """Size, tiles, and bits of the samples."""

    width: int
    height: int
    tiles: int
    bits: tuple[int, ...]


def codestream(data: bytes) -> Codestream:
    """Raises BrokenPicture, UnclearLevels (samples with a sign)."""
    place = 0 if data.startswith(START) else _box(data)
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
    """Refuse a codestream of another size than its box says, and parts so small that each of them costs more than it
    holds. Raises BrokenPicture.
    """
    stream = codestream(data)
    if (stream.width, stream.height) != (width, height):
        raise BrokenPicture(
            f"the JPEG 2000 picture is {width} x {height} by its header and {stream.width} x {stream.height} inside",
            "save it anew",
        )
    if not 1 <= stream.tiles <= MOST_TILES:
        raise BrokenPicture(
            f"the JPEG 2000 picture has {stream.tiles:,} tiles; {MOST_TILES:,} is the most", "save it anew"
        )
    place = 0 if data.startswith(START) else _box(data)
    for marker, start in _markers(data, place + 2):
        _check_style(data[start : start + 48], marker == 0xFF52, width, height)


def _check_style(style: bytes, default: bool, width: int, height: int) -> None:
    """A coding style: of all components, or of one (A.6.1 and A.6.2)."""
    if default and int.from_bytes(style[4:6], "big") > MOST_LAYERS:
        raise BrokenPicture(f"the JPEG 2000 picture has more than {MOST_LAYERS:,} quality layers", "save it anew")
    own = style[7 if default else 4 :]
    if len(own) < 5:
        raise BrokenPicture("the JPEG 2000 picture ends in its header", "send it whole")
    levels, across, down = own[0], own[1] & 15, own[2] & 15
    precincts = own[5 : 6 + levels] if style[2 if default else 3] & 1 else b""
    count = sum(
        (1 + (width >> levels - resolution >> (size & 15))) * (1 + (height >> levels - resolution >> (size >> 4)))
        for resolution, size in enumerate(precincts)
    )
    if across + down + 4 < SMALLEST_BLOCK or count > FEW_PRECINCTS + (width * height >> SMALLEST_BLOCK):
        raise BrokenPicture("the JPEG 2000 picture is cut into smaller blocks than any program writes", "save it anew")


def _markers(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Where coding styles stand (COD and COC), in the main header and in those of tile-parts; bounded."""
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
    raise BrokenPicture("the JPEG 2000 picture consists of more pieces than any program writes", "save it anew")


def _box(data: bytes) -> int:
    """Where the codestream begins in its box."""
    place = 0
    for _ in range(MOST_BOXES):
        length, kind = struct.unpack_from(
            ">I4s", data.ljust(place + 8, b"\0") if place + 8 > len(data) else data, place
        )
        head = 8
        if length == 1 and place + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        if kind == b"jp2c" and data.startswith(START, place + head):
            return place + head
        if length < head or place + length >= len(data):
            break
        place += length
    raise BrokenPicture("the JPEG 2000 file holds no picture", "send it whole")
