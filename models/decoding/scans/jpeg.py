"""JPEG (ISO/IEC 10918-1, annex B): segments, each with a marker, then one or more scans of pixels, then the end."""

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from models.decoding.errors import BrokenPicture
from models.decoding.scans import orientation, pieces

XMP = b"http://ns.adobe.com/xap/1.0/\0"
APP1, START, START_OF_SCAN, END = 0xE1, 0xD8, 0xDA, 0xD9
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame header, which states size and coding."""
TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
"""Markers of the tables: Huffman, arithmetic coding, quantization, and the interval of restarts."""
LEAST = {0xE0: 16, 0xEE: 14}
"""Application segments that say how to read the colours (JFIF, Adobe), and their least length."""
FILL = re.compile(rb"[^\xff]*(\xff+)")
"""Bytes before a marker: decoders skip what is no marker, and repeated 0xFF."""
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker among pixels, where 0xFF 0x00 stands for a byte 0xFF and 0xD0 to 0xD7 are restarts."""


@dataclass(frozen=True)
class _Head:
    """What is kept of the segments before the first scan, and the position of that scan.

    `frame` is the marker of the frame header and `pixels` its width times height; `turned` says whether the kept
    segments hold an orientation other than upright.
    """

    kept: list[memoryview]
    scan: int
    frame: int
    pixels: int
    turned: bool


def trimmed(data: bytes) -> bytes:
    """The file without metadata and up to the end of its first picture: phones append previews and videos.

    EXIF and XMP are replaced by the orientation alone. Raises BrokenPicture for more segments, tables or scans than any
    program writes.
    """
    head = _head(data)
    end = _end(data, head)
    pixels = memoryview(data)[head.scan : end]
    if not head.turned and len(data) == sum(map(len, head.kept)) + len(pixels):
        return data
    return b"".join([*head.kept, pixels])


def frame_marker(data: bytes) -> int | None:
    """The marker of the frame header, which says how the pixels are coded; None if there is none before the pixels."""
    try:
        return next((marker for marker, _, _ in _segments(data) if marker in FRAMES), None)
    except BrokenPicture:
        return None


def _head(data: bytes) -> _Head:
    """The segments before the first scan."""
    view = memoryview(data)
    kept, tables, frame, pixels = [view[:2]], 0, 0, 0
    exif, xmp, texts = b"", b"", 0
    for marker, place, end in _segments(data):
        length = end - place - 2
        if marker == START_OF_SCAN:
            break
        if marker in FRAMES:
            if frame:
                raise BrokenPicture("the JPEG has two headers that state its size", "save it again")
            frame, pixels = marker, math.prod(struct.unpack_from(">HH", data, place + 5)) if length >= 7 else 0
        if marker in TABLES:
            tables += length
            if tables > pieces.LARGEST_TABLES:
                raise pieces.refuse("JPEG", tables, "bytes of tables", pieces.LARGEST_TABLES)
        if marker == APP1 and texts < pieces.MOST_TEXTS:
            texts += 1
            if data.startswith(orientation.HEAD, place + 4):
                exif += data[place + 10 : end]  # in several segments if it is larger than one
            elif data.startswith(XMP, place + 4):
                xmp = data[place + 4 : end]
        if marker in TABLES or marker in FRAMES or length >= LEAST.get(marker, 1 << 16):
            kept.append(view[place:end])
    if not frame:
        raise BrokenPicture("the JPEG has no header that states its size", "send it whole")
    turn = orientation.in_exif(exif)
    turn = turn or orientation.in_xmp(xmp) or 1
    if turn != 1:
        block = orientation.HEAD + orientation.exif_of(turn)
        kept.insert(1, memoryview(b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block))
    return _Head(kept, place, frame, pixels, turn != 1)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the pixels, and last of all those of the first scan's header."""
    place, count, marker = 2, 0, 0
    while marker != START_OF_SCAN:
        fill = FILL.match(data, place)
        if fill is None or fill.end() + 3 > len(data):
            raise BrokenPicture("the JPEG ends before its pixels", "send it whole")
        place, marker = fill.end() - 1, data[fill.end()]
        count += 1
        pieces.check_count(count, place, "JPEG")
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker <= 1 or 0xD0 <= marker <= 0xD7:  # these have no length
            place += 2
            continue
        end = place + 2 + length
        if marker < 0xC0 or marker in (START, END) or length < 2 or end > len(data):
            raise BrokenPicture("the JPEG is damaged or cut off before its pixels", "send it whole")
        yield marker, place, end
        place = end


def _end(data: bytes, head: _Head) -> int:
    """Position behind the first picture, whose scans are counted; the end of the file if the picture has no end."""
    place, scans, count, end = head.scan, 0, 0, len(data)
    while True:
        marker = data[place + 1]
        if marker in (START, END):
            end = place + 2
            break
        if marker == START_OF_SCAN:
            scans += 1
            _check_scans(scans, head)
        count += 1
        pieces.check_count(count, place, "JPEG")
        place += 2 if marker < 0xC0 else 2 + max(int.from_bytes(data[place + 2 : place + 4], "big"), 2)
        found = MARKER.search(data, place)
        if found is None:
            break
        place = found.start()
    if data.find(b"\xff" * pieces.LONGEST_FILL, head.scan, end) >= 0:
        raise BrokenPicture(f"the JPEG has over {pieces.LONGEST_FILL:,} fill bytes among its pixels", "save it again")
    return end


def _check_scans(scans: int, head: _Head) -> None:
    arithmetic = head.frame >= 0xC9
    most = pieces.MOST_ARITHMETIC_PIXELS if arithmetic else pieces.MOST_SCANNED_PIXELS
    is_few = scans <= (1 if arithmetic else pieces.FEW_SCANS)
    if scans > pieces.MOST_SCANS or (scans * head.pixels > most and not is_few):
        raise BrokenPicture(f"the JPEG has {scans} scans or more, too many for {head.pixels:,} pixels", "save it again")
