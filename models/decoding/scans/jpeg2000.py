"""JPEG 2000 (ISO/IEC 15444-1): boxes around a codestream, which consists of segments and of parts of tiles."""

import struct
from collections.abc import Iterator

from models.decoding.errors import BrokenPicture
from models.decoding.jpeg2000 import START_OF_CODESTREAM, Codestream, codestream, header_boxes
from models.decoding.scans import pieces

STYLE, STYLE_OF_COMPONENT, START_OF_TILE_PART, START_OF_DATA, END = 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
MOST_COMPONENTS = 4
"""Channels of a picture that Pillow reads."""
MOST_COLOURS = 1_024
"""Colours of a palette, by the standard."""
SMALLEST_RESOLUTION_BOX = 1_000
"""Bytes of the box with the resolution in dots per inch, of which programs write 26 to 44."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels by the codestream; raises BrokenPicture."""
    stream = codestream(data)
    return stream.width, stream.height


def trimmed(data: bytes) -> bytes:
    """The same bytes; raises BrokenPicture if they hold another picture than the header says, or too small parts.

    A part that is too small costs more memory and time than its pixels do.
    """
    stream = codestream(data)
    if not data.startswith(START_OF_CODESTREAM):
        _check_header(data, stream)
    most = min(pieces.MOST_TILES, 100 + stream.width * stream.height // pieces.SMALLEST_TILE)
    if not 1 <= stream.tiles <= most:
        raise pieces.refuse("JPEG 2000 picture", stream.tiles, "tiles", most)
    if len(stream.bits) > MOST_COMPONENTS:
        raise pieces.refuse("JPEG 2000 picture", len(stream.bits), "channels", MOST_COMPONENTS)
    for marker, start in _markers(data, stream.place + 2):
        _check_style(data[start : start + 48], marker == STYLE, stream)
    return data


def _check_header(data: bytes, stream: Codestream) -> None:
    """Check the boxes of the header, which Pillow reads one by one, and the size that they state."""
    for kind, start, end in header_boxes(data):
        if kind == b"ihdr":
            height, width = struct.unpack_from(">II", data.ljust(start + 8, b"\0"), start)
            if (stream.width, stream.height) != (width, height):
                raise BrokenPicture(
                    f"the JPEG 2000 picture is {width} x {height} by its header and {stream.width} x {stream.height}"
                    " inside",
                    "save it again",
                )
        colours = int.from_bytes(data[start : start + 2], "big") if kind == b"pclr" else 0
        if colours > MOST_COLOURS:
            raise pieces.refuse("JPEG 2000 picture", colours, "colours in its palette", MOST_COLOURS)
        if kind == b"res " and end - start > SMALLEST_RESOLUTION_BOX:
            raise pieces.refuse("JPEG 2000 picture", end - start, "bytes about its resolution", SMALLEST_RESOLUTION_BOX)


def _check_style(style: bytes, default: bool, stream: Codestream) -> None:
    """Check a coding style, which is that of all components (`default`, A.6.1) or of one (A.6.2)."""
    layers = int.from_bytes(style[4:6], "big") if default else 1
    if layers > pieces.MOST_LAYERS:
        raise pieces.refuse("JPEG 2000 picture", layers, "quality layers", pieces.MOST_LAYERS)
    parameters = style[7 if default else 4 :]
    if len(parameters) < 5:
        raise BrokenPicture("the JPEG 2000 picture ends in its header", "send it whole")
    width, height = stream.width, stream.height
    levels, across, down = parameters[0], parameters[1] & 15, parameters[2] & 15
    precincts = parameters[5 : 6 + levels] if style[2 if default else 3] & 1 else b""
    counts = [
        (1 + (width >> max(levels - resolution, 0) >> (size & 15)))
        * (1 + (height >> max(levels - resolution, 0) >> (size >> 4)))
        for resolution, size in enumerate(precincts)
    ]
    # The decoder remembers for each packet whether it was read, in a table for the largest number of precincts.
    packets = max(counts, default=1) * (levels + 1) * layers * len(stream.bits)
    if (
        across + down + 4 < pieces.SMALLEST_BLOCK
        or sum(counts) > pieces.FEW_PRECINCTS + (width * height >> pieces.SMALLEST_BLOCK)
        or packets > pieces.MOST_PACKETS + width * height
    ):
        raise BrokenPicture("the JPEG 2000 picture is cut into smaller blocks than any program writes", "save it again")


def _markers(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Markers and positions of coding styles, in the main header and in those of the parts of tiles."""
    tile, length, most = 0, 0, pieces.MOST_HEADER_MARKERS
    for count in range(pieces.MOST_TILE_PARTS):
        marker = int.from_bytes(data[place : place + 2], "big")
        if marker in (STYLE, STYLE_OF_COMPONENT):
            yield marker, place + 2
        if marker == START_OF_TILE_PART:
            tile, length, most = place, int.from_bytes(data[place + 6 : place + 10], "big"), pieces.MOST_TILE_PARTS
        if count > most:
            break
        if marker == START_OF_DATA:  # the pixels of this part, up to the next
            if not length:
                return
            place = tile + length
        elif marker < 0xFF30 or place + 4 > len(data) or marker == END:
            return
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise BrokenPicture("the JPEG 2000 picture consists of more pieces than any program writes", "save it again")
