"""TIFF (TIFF 6.0, BigTIFF): a header, and directories of tags whose values stand anywhere in the file.

Pillow and libtiff both read all tags of a directory, and values may overlap, be as large as the file, and come in any
number. So the first directory is replaced by one that holds the tags about the pixels alone, each once.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from models.decoding.errors import BrokenPicture
from models.decoding.scans import jpeg, pieces

UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value by the number of its type."""
NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
"""Types that are whole numbers, by numpy's names."""
WIDTH, HEIGHT, SAMPLES, STRIP_ROWS, PLANAR, TILE_WIDTH, TILE_HEIGHT = 256, 257, 277, 278, 284, 322, 323
STRIP_OFFSETS, STRIP_SIZES, TILE_OFFSETS, TILE_SIZES, XMP = 273, 279, 324, 325, 700
FEW = (254, 255, 256, 257, 259, 262, 263, 266, 274, 277, 278, 282, 283, 284, 292, 293, 296, 317, 322, 323, 332)
"""Tags with one value or a few: sizes, how the pixels are packed, resolution, orientation."""
OF_SAMPLES = (258, 280, 281, 338, 339, 340, 341)
"""Tags with one value for each channel."""
OF_STRIPS = (STRIP_OFFSETS, STRIP_SIZES, TILE_OFFSETS, TILE_SIZES)
OF_JPEG = (512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532)
"""Tags of pictures packed as JPEG, and of their colours."""
MOST_VALUES: Mapping[int, int] = {
    **dict.fromkeys((*FEW, *OF_JPEG), 8),
    **dict.fromkeys(OF_SAMPLES, pieces.MOST_CHANNELS),
    **dict.fromkeys(OF_STRIPS, pieces.MOST_STRIPS),
    320: 3 << 16,  # the palette
    347: 1 << 16,  # tables of JPEG
    XMP: pieces.LARGEST_TEXT,  # it may state the orientation
}
"""The tags that are kept, by number, with the most values of each."""
MARKS = (330, 48129, 50706)
"""Tags of raw files and other formats; that they are there is kept, and no more than one value."""


COMPRESSION, JPEG = 259, 7
"""The tag of the compression, and its value for JPEG."""
SEQUENTIAL = (0xC0, 0xC1)
"""Markers of the frame headers of JPEGs that are decoded in one pass."""
LARGEST_HEAD = 16_384
"""Bytes in which the frame header of a JPEG in a TIFF stands: its tables take 2.2 kB, and metadata is elsewhere."""
FEW_STRIPS = 16
"""Strips or tiles that a TIFF may list beyond twice those that its picture has."""


@dataclass(frozen=True)
class _Layout:
    """How a file writes numbers: the byte order, and whether it is a BigTIFF, with 8 bytes in place of 2 or 4."""

    order: Literal["<", ">"]
    big: bool

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "L"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHL4s"))


class _Tag(NamedTuple):
    """One entry of a directory: `value` is as in the file, the values themselves or their position; `at` is where."""

    number: int
    kind: int
    values: int
    value: bytes
    at: int


def trimmed(data: bytes) -> bytes:
    """The file with one directory, of the tags that the pixels and the orientation need.

    Raises BrokenPicture for values that no program writes, such as strips that each hold the whole file.
    """
    layout = _Layout("<" if data.startswith(b"II") else ">", 43 in data[2:4])
    tags = _tags(data, layout)
    _check_strips(data, layout, tags)
    kept = b"".join(layout.entry.pack(*tag[:4]) for tag in tags.values())
    directory = layout.count.pack(len(tags)) + kept + bytes(layout.offset.size)
    if data.startswith(directory, _start(data, layout)):
        return data
    header = data[: layout.offset.size] + layout.offset.pack(len(data) + len(data) % 2)
    return b"".join([header, memoryview(data)[len(header) :], bytes(len(data) % 2), directory])


def _start(data: bytes, layout: _Layout) -> int:
    """Position of the first directory."""
    (start,) = layout.offset.unpack_from(data, layout.offset.size)
    return int(start)


def _tags(data: bytes, layout: _Layout) -> dict[int, _Tag]:
    """The tags that are kept, by number."""
    try:
        start = _start(data, layout)
        (count,) = layout.count.unpack_from(data, start)
    except (struct.error, OverflowError) as error:
        raise BrokenPicture("the TIFF ends before its directory", "send it whole") from error
    if count > pieces.MOST_TAGS:
        raise pieces.refuse("TIFF", count, "tags", pieces.MOST_TAGS)
    tags: dict[int, _Tag] = {}
    entry, inline = layout.entry, layout.offset.size
    first = start + layout.count.size
    for place in range(first, min(first + count * entry.size, len(data) - entry.size + 1), entry.size):
        number, kind, values, value = entry.unpack_from(data, place)
        size = UNITS.get(kind, 0) * values
        at = place + entry.size - inline if size <= inline else layout.offset.unpack(value)[0]
        if number in tags or not 0 < size <= len(data) - at:
            continue
        if number in MARKS:
            tags[number] = _Tag(number, 4, 1, value, at)
        elif number in MOST_VALUES and (number != XMP or size <= pieces.LARGEST_TEXT):
            if values > MOST_VALUES[number]:
                raise pieces.refuse("TIFF", values, f"values of the tag {number}", MOST_VALUES[number])
            tags[number] = _Tag(number, kind, values, value, at)
    return tags


def _check_strips(data: bytes, layout: _Layout, tags: Mapping[int, _Tag]) -> None:
    """Check how many strips or tiles there are, and that they do not each hold a large part of the file."""

    def values(number: int, default: int) -> list[int]:
        tag = tags.get(number)
        if tag is None or tag.kind not in NUMBERS:
            return [default]
        numbers: list[int] = np.frombuffer(data, layout.order + NUMBERS[tag.kind], tag.values, tag.at).tolist()
        return numbers

    width, height = values(WIDTH, 0)[0], values(HEIGHT, 0)[0]
    layers = values(SAMPLES, 1)[0] if values(PLANAR, 1)[0] == 2 else 1
    across, rows = values(TILE_WIDTH, 0)[0], values(TILE_HEIGHT, 0)[0]
    tiles = -(-width // max(across, 1)) * -(-height // max(rows, 1)) * layers
    strips = -(-height // max(values(STRIP_ROWS, height)[0], 1)) * layers
    for offsets, most in ((STRIP_OFFSETS, strips), (TILE_OFFSETS, tiles)):
        if offsets in tags and tags[offsets].values > 2 * most + FEW_STRIPS:
            # Pillow decodes all that are listed, and begins anew at the top of the picture.
            raise pieces.refuse("TIFF", tags[offsets].values, "strips or tiles", most)
    if values(COMPRESSION, 1)[0] == JPEG:
        for offsets in (STRIP_OFFSETS, TILE_OFFSETS):
            _check_jpegs(data, values(offsets, 0))
    for sizes in (STRIP_SIZES, TILE_SIZES):
        total = sum(min(size, len(data)) for size in values(sizes, 0))
        if total > pieces.MOST_SHARED_STRIPS * len(data):
            raise BrokenPicture(
                f"the strips or tiles of the TIFF hold {total:,} bytes, and the file has {len(data):,}", "save it again"
            )


def _check_jpegs(data: bytes, offsets: list[int]) -> None:
    """Check that the strips or tiles are JPEGs of one pass: libtiff decodes a hundred scans of others."""
    for offset in offsets:
        start = data[offset : offset + LARGEST_HEAD] if offset else b""
        if start and jpeg.frame_marker(start) not in SEQUENTIAL:
            raise BrokenPicture("the TIFF holds a JPEG that is progressive, or damaged", "save it without compression")
