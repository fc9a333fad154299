"""Counting the frames in AVIF and HEIC files, which are ISO media files (ISO/IEC 14496-12, 23008-12).

The decoder decodes each frame as a whole picture, although a frame that is never shown takes a hundred bytes.
"""

from collections.abc import Iterator

from models.decoding.errors import BrokenPicture

MOST_FRAMES = 16
"""Largest number of frames of one stored picture; a progressive one has a handful."""
MOST_PIECES = 10_000
"""Largest number of boxes, of stored pictures and of their parts that are read."""
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
"""Types of boxes that contain nothing but boxes."""


def check(data: bytes, kind: str) -> None:
    """Raise BrokenPicture if one picture has more frames than any program writes; `kind` is AVIF or HEIF."""
    for count, (start, end) in enumerate(_stored_pictures(data), 1):
        frames = _av1_frames(data, start, end) if kind == "AVIF" else _hevc_frames(data, start, end)
        if frames > MOST_FRAMES or count > MOST_PIECES:
            raise BrokenPicture(f"the {kind} picture holds more frames than any program writes", "save it again")


def _stored_pictures(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each stored picture: the parts of items, and the first frame of each track."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"iloc":
            yield from _item_parts(data, start, end)
        elif kind == b"stbl":
            tables = {kind: place for kind, place, _ in _boxes(data, start, end)}
            place = tables.get(b"stco", tables.get(b"co64", end))
            first = _number(data, place + 8, 4 if b"stco" in tables else 8)
            sizes = tables.get(b"stsz", end)
            size = _number(data, sizes + 4, 4) or _number(data, sizes + 12, 4)
            yield first, min(first + size, len(data))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """All boxes, also those within others: the type, and start and end of the contents."""
    waiting, count = [(start, end)], 0
    while waiting:
        place, stop = waiting.pop()
        while place + 8 <= stop and count < MOST_PIECES:
            count += 1
            length, kind, head = _number(data, place, 4), data[place + 4 : place + 8], 8
            if length == 1:
                length, head = _number(data, place + 8, 8), 16
            last = stop if length == 0 else min(place + length, stop)
            if last < place + head:
                break
            yield kind, place + head, last
            if kind in CONTAINERS or kind == b"meta":
                waiting.append((place + head + 4 * (kind == b"meta"), last))
            place = last


def _number(data: bytes, place: int, width: int) -> int:
    return int.from_bytes(data[place : place + width], "big")


def _item_parts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each part, from the item location box.

    Parts inside an `idat` box are read at the wrong position of the file, where no frames are found.
    """
    version, sizes = data[start], _number(data, start + 4, 2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 2 if version < 2 else 4
    place, count = start + 6 + wide, _number(data, start + 6, wide)
    for _ in range(min(count, MOST_PIECES + 1)):
        place += wide + (4 if version else 2)
        begin = _number(data, place, base)
        parts = _number(data, place + base, 2)
        place += base + 2
        for _ in range(min(parts, MOST_PIECES + 1)):
            if place >= end:
                return
            place += index if version else 0
            first = begin + _number(data, place, offset)
            size = _number(data, place + offset, length)
            place += offset + length
            yield first, min(first + size, len(data)) if size else len(data)


def _av1_frames(data: bytes, start: int, end: int) -> int:
    """Number of frame headers among the open bitstream units (AV1, 5.3), up to the first bytes that are no unit."""
    frames = 0
    while start < end and frames <= MOST_FRAMES:
        header = data[start]
        if header & 0x83 != 0x02:  # the forbidden and reserved bits, and a size as files must have it
            return frames + (header & 0x81 == 0 and header >> 3 & 15 in (3, 6))
        frames += header >> 3 & 15 in (3, 6)
        start += 2 if header & 4 else 1
        size = shift = 0
        while start < end and shift < 56:
            byte = data[start]
            size |= (byte & 0x7F) << shift
            start, shift = start + 1, shift + 7
            if byte < 0x80:
                break
        start += size
    return frames


def _hevc_frames(data: bytes, start: int, end: int) -> int:
    """Number of slices that begin a picture (H.265, 7.3.1.2), in units with their lengths before them."""
    frames = 0
    while start + 7 <= end and frames <= MOST_FRAMES:
        frames += (data[start + 4] >> 1 & 63) < 32 and data[start + 6] >= 0x80
        start += 4 + _number(data, start, 4)
    return frames
