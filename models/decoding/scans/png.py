"""PNG (www.w3.org/TR/png-3): chunks, each with a type, a length and a checksum."""

import struct
import zlib
from collections.abc import Iterator

from models.decoding.scans import orientation, pieces

KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Types of the chunks without which the pixels cannot be decoded."""
RAW_PROFILE, XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"
"""Keywords of texts in which programs store the orientation."""
END = b"\0\0\0\0IEND\xaeB`\x82"
"""The chunk that ends a file."""

Chunk = tuple[bytes, int, int]
"""Type, start and end in the file (length and checksum included)."""


def trimmed(data: bytes) -> bytes:
    """The file without metadata, without the further frames of an animation, and without what follows its end.

    Kept are the chunks that the pixels need, and sBIT. EXIF and texts are replaced by the orientation alone. Raises
    BrokenPicture for more chunks than any program writes.
    """
    view = memoryview(data)
    parts, exif, raw, xmp, texts = [view[:8]], None, None, None, 0
    kind, end, has_pixels = b"", 8, False
    for kind, start, end in _chunks(data):
        has_pixels = has_pixels or kind == b"IDAT"
        if kind in KEPT or (kind == b"sBIT" and _is_intact(data, start, end)):
            parts.append(view[start:end])
        elif kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") and texts < pieces.MOST_TEXTS:
            if not _is_intact(data, start, end):
                continue
            body = data[start + 8 : end - 4]
            if kind == b"eXIf":
                texts, exif = texts + 1, exif or orientation.in_exif(body)
                continue
            keyword, _, text = body.partition(b"\0")
            if keyword == RAW_PROFILE:
                texts, raw = texts + 1, raw or orientation.in_exif(_profile(_text(kind, text)))
            elif keyword == XMP:
                texts, xmp = texts + 1, xmp or orientation.in_xmp(_text(kind, text))
    if kind != b"IEND":
        # A chunk of the pixels or before them is cut off, which the decoder says; what is behind them is not needed.
        parts.append(memoryview(END) if has_pixels and kind != b"IDAT" else view[end:])
    turn = exif or raw or xmp or 1
    if turn != 1:
        block = b"eXIf" + orientation.exif_of(turn)
        parts.insert(2, memoryview(struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))))
    return data if turn == 1 and sum(map(len, parts)) == len(data) else b"".join(parts)


def significant_bits(data: bytes) -> int | None:
    """Bits that the samples had before they were scaled up (the largest in the sBIT chunk), or None."""
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            return None
        if kind == b"sBIT" and _is_intact(data, start, end):
            return max(data[start + 8 : end - 4], default=None)
    return None


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to the end of the picture, or to the first that is cut off.

    Of those behind the pixels, such as the frames of a long animation, no more are read than a file may have pieces.
    """
    place, count, kind, has_pixels = 8, 0, b"", False
    while place + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data) or (has_pixels and kind != b"IDAT" and count > pieces.FEW_PIECES):
            return
        yield kind, place, end
        place, count, has_pixels = end, count + 1, has_pixels or kind == b"IDAT"
        pieces.check_count(count, place, "PNG")


def _is_intact(data: bytes, start: int, end: int) -> bool:
    """Whether a chunk is small enough to be read and has the right checksum."""
    if end - start > pieces.LARGEST_TEXT:
        return False
    return zlib.crc32(memoryview(data)[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _text(kind: bytes, text: bytes) -> bytes:
    """The text after its keyword, unpacked; empty if it cannot be unpacked or is too large."""
    packed = kind == b"zTXt" or (kind == b"iTXt" and text[:1] == b"\1")
    if kind == b"iTXt":
        text = text[2:].split(b"\0", 2)[-1]
    elif kind == b"zTXt":
        text = text[1:]
    if not packed:
        return text
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(text, pieces.LARGEST_TEXT)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else unpacked


def _profile(text: bytes) -> bytes:
    """The EXIF block in a raw profile: an empty line, its name, its length, and its bytes in hexadecimal."""
    try:
        return bytes.fromhex(text.split(b"\n", 3)[-1].decode("ascii"))
    except ValueError:
        return b""
