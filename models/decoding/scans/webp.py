"""WebP (RFC 9649): a RIFF file of chunks; a picture with metadata or frames has a chunk VP8X before them."""

import struct
from collections.abc import Iterator

from models.decoding.scans import orientation, pieces

PIXELS = (b"VP8 ", b"VP8L", b"ANMF")
"""Types of the chunks that hold a picture: lossy, lossless, or a frame of an animation."""

FIRST = 12
"""Position of the first chunk, where VP8X stands in files that have it."""


def trimmed(data: bytes) -> bytes:
    """The file without metadata and without further frames; EXIF and XMP are replaced by the orientation alone.

    Raises BrokenPicture for more chunks than any program writes.
    """
    view = memoryview(data)
    parts: list[memoryview] = []
    exif = xmp = alpha = None
    has_picture = False
    for kind, start, end in _chunks(data):
        if kind == b"EXIF":
            exif = exif or orientation.in_exif(data[start + 8 : min(end, start + pieces.LARGEST_TEXT)])
        elif kind == b"XMP ":
            xmp = xmp or orientation.in_xmp(data[start + 8 : min(end, start + pieces.LARGEST_TEXT)])
        elif kind == b"ALPH":
            alpha = alpha or view[start:end]
        elif (kind == b"ANIM" or kind in PIXELS or start == FIRST) and not has_picture:
            has_picture = kind in PIXELS
            parts += [alpha, view[start:end]] if kind == b"VP8 " and alpha is not None else [view[start:end]]
    turn = exif or xmp or 1
    if turn != 1:
        block = orientation.exif_of(turn)
        parts.append(memoryview(b"EXIF" + struct.pack("<I", len(block)) + block))
    size = sum(map(len, parts)) + 4
    if turn == 1 and size + 8 == len(data):
        return data
    return b"".join([b"RIFF", struct.pack("<I", size), b"WEBP", *parts])


def canvas(data: bytes) -> tuple[int, int] | None:
    """Width and height in a chunk VP8X, for which the decoder takes memory when it opens the file; None without one."""
    if data[12:16] != b"VP8X" or len(data) < 30:
        return None
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each chunk; the last may be cut off, which the decoder notices.

    Of those behind the first picture, such as the frames of a long animation, no more are read than a file may have
    pieces.
    """
    place, count, has_picture = FIRST, 0, False
    last = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    while place + 8 <= last and not (has_picture and count > pieces.FEW_PIECES):
        kind, size = struct.unpack_from("<4sI", data, place)
        end = place + 8 + size + size % 2
        yield kind, place, min(end, last)
        place, count, has_picture = end, count + 1, has_picture or kind in PIXELS
        if not has_picture:
            pieces.check_count(count, place, "WEBP")
