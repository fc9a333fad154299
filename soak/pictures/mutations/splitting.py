"""Cutting files into the pieces that their format has, and putting changed pieces together again."""

import struct
import zlib
from collections.abc import Callable

Pieces = list[bytes]
CONTAINERS = {b"meta", b"iprp", b"ipco", b"iinf", b"iref", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"jp2h"}
BEFORE_BOXES = {b"meta": 4, b"iinf": 6, b"iref": 4}


def pieces_of(format: str, data: bytes) -> Pieces:
    """Return pieces whose concatenation is the file."""
    if format in ("AVIF", "HEIF") or data.startswith(b"\0\0\0\x0cjP"):
        return _boxes(data)
    return {
        "JPEG": _segments,
        "PNG": _chunks,
        "WEBP": _riff,
        "GIF": _blocks,
        "BMP": _rows,
        "TIFF": _tags,
        "JPEG2000": _segments,
        "PPM": _words,
    }[format](data)


def joined(format: str, pieces: Pieces, *, mended: bool) -> bytes:
    """Put pieces together; `mended` makes lengths, checksums and counts right again, so that decoders read further."""
    if mended and pieces and format in MENDERS:
        pieces = MENDERS[format](pieces)
    return b"".join(pieces)


def _chunks(data: bytes) -> Pieces:
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 12 + struct.unpack_from(">I", data, place)[0]
        parts.append(data[place:end])
        place = end
    return parts


def _mended_chunks(pieces: Pieces) -> Pieces:
    """Lengths and checksums of chunks of a PNG."""
    mended = pieces[:1]
    for piece in pieces[1:]:
        kind_and_body = piece[4:-4].ljust(4, b"x")
        mended.append(struct.pack(">I", len(kind_and_body) - 4) + kind_and_body)
        mended.append(struct.pack(">I", zlib.crc32(kind_and_body)))
    return mended


def _segments(data: bytes) -> Pieces:
    """Segments of a JPEG or a JPEG 2000 codestream; pixels are cut into a few pieces."""
    parts, place = [data[:2]], 2
    pixels = b"\xff\xda" if data.startswith(b"\xff\xd8") else b"\xff\x93"
    while place + 4 <= len(data) and data[place] == 0xFF:
        length = 0 if data[place : place + 2] == b"\xff\x93" else struct.unpack_from(">H", data, place + 2)[0]
        end = place + 2 + length
        parts.append(data[place:end])
        if data.startswith(pixels, place):
            following = [data.find(marker, end) for marker in (b"\xff\xc4", b"\xff\xda", b"\xff\x90", b"\xff\xd9")]
            stop = min([position for position in following if position >= 0], default=len(data))
            step = max(1, (stop - end + 3) // 4)
            parts += [data[cut : min(cut + step, stop)] for cut in range(end, stop, step)]
            end = stop
        place = end
    return [*parts, data[place:]]


def _riff(data: bytes) -> Pieces:
    parts, place = [data[:12]], 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, place)
        end = place + (24 if kind == b"ANMF" else 8 + size + size % 2)  # the chunks in a frame are pieces, too
        parts.append(data[place:end])
        place = end
    return [*parts, data[place:]]


def _mended_riff(pieces: Pieces) -> Pieces:
    size = sum(map(len, pieces))
    return [pieces[0][:4] + struct.pack("<I", max(size - 8, 0)) + pieces[0][8:], *pieces[1:]]


def _blocks(data: bytes) -> Pieces:
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    parts = [data[:place]]
    while place < len(data) and data[place : place + 1] in (b"!", b","):
        end = place + 2
        if data[place : place + 1] == b",":
            flags = data[place + 9]
            end = place + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        parts.append(data[place:end])
        place = end
        while place < len(data) and data[place]:
            parts.append(data[place : place + 1 + data[place]])
            place += 1 + data[place]
        parts.append(data[place : place + 1])
        place += 1
    return [*parts, data[place:]]


def _rows(data: bytes) -> Pieces:
    start = struct.unpack_from("<I", data, 10)[0]
    step = max(1, (len(data) - start) // 8)
    return [data[:14], data[14:54], data[54:start], *(data[cut : cut + step] for cut in range(start, len(data), step))]


def _tags(data: bytes) -> Pieces:
    """The file without its header's position, the count, the tags and the position of the next directory.

    The directory is written behind the file, so that no position in a tag changes.
    """
    order, big = ("<" if data[:2] == b"II" else ">"), 43 in data[2:4]
    offset, count, size, head = ("Q", "Q", 20, 8) if big else ("I", "H", 12, 4)
    (start,) = struct.unpack_from(order + offset, data, head)
    (tags,) = struct.unpack_from(order + count, data, start)
    first = start + struct.calcsize(order + count)
    entries = [data[place : place + size] for place in range(first, first + size * tags, size)]
    body = data[head + struct.calcsize(offset) :]
    header = data[:head] + struct.pack(order + offset, len(data))
    end = data[first + size * tags :][: struct.calcsize(offset)]
    return [header, body, struct.pack(order + count, tags), *entries, end]


def _mended_tags(pieces: Pieces) -> Pieces:
    """The position of the directory, and its number of tags; only where the pieces are still in their places."""
    if len(pieces) < 4 or pieces[0][:2] not in (b"II", b"MM"):
        return pieces
    order, big = ("<" if pieces[0][:2] == b"II" else ">"), len(pieces[0]) > 8
    header = pieces[0][: 8 if big else 4] + struct.pack(order + ("Q" if big else "I"), len(pieces[0]) + len(pieces[1]))
    tags = sum(map(len, pieces[3:-1])) // (20 if big else 12)
    return [header, pieces[1], struct.pack(order + ("Q" if big else "H"), tags % (1 << 16)), *pieces[3:]]


def _words(data: bytes) -> Pieces:
    return [data[:3], *(data[place : place + 4] for place in range(3, len(data), 4))]


def _boxes(data: bytes) -> Pieces:
    """Boxes and the heads of boxes that contain boxes."""
    parts: Pieces = []
    waiting = [(0, len(data))]
    while waiting:
        place, stop = waiting.pop()
        if place + 8 > stop:
            parts += [data[place:stop]] if place < stop else []
            continue
        length, kind = struct.unpack_from(">I4s", data, place)
        end = min(place + max(length, 8), stop) if length else stop
        inside = place + 8 + BEFORE_BOXES.get(kind, 0) if kind in CONTAINERS else end
        parts.append(data[place:inside])
        waiting += [(end, stop), (inside, end)] if inside < end else [(end, stop)]
    return parts


def mended_boxes(pieces: Pieces, changed: int, more: int) -> Pieces:
    """Make the boxes around a piece longer: `changed` is its index, `more` the bytes that were added or removed.

    Positions of items in the file move by as many bytes where they lie behind.
    """
    mended, place = list(pieces), 0
    where = sum(map(len, pieces[:changed]))
    for index, piece in enumerate(pieces):
        kind = piece[4:8]
        length = int.from_bytes(piece[:4], "big")
        if index < changed and kind in CONTAINERS and place + length - max(more, 0) >= where - len(piece):
            mended[index] = struct.pack(">I", max(length + more, 0) % (1 << 32)) + piece[4:]
        if kind in (b"iloc", b"stco") and len(piece) > 20:
            mended[index] = _moved(piece, where, more)
        place += len(piece)
    return mended


def _moved(piece: bytes, where: int, more: int) -> bytes:
    """Every number of four bytes in a table of positions that lies behind `where` and inside a file of these sizes."""
    moved = bytearray(piece)
    for place in range(16, len(piece) - 3, 2):
        value = int.from_bytes(piece[place : place + 4], "big")
        if where <= value < 1 << 16 and 0 <= value + more < 1 << 32:
            moved[place : place + 4] = struct.pack(">I", value + more)
    return bytes(moved)


MENDERS: dict[str, Callable[[Pieces], Pieces]] = {"PNG": _mended_chunks, "WEBP": _mended_riff, "TIFF": _mended_tags}
