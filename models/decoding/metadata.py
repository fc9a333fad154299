"""Removing the metadata from a picture file, so that damaged metadata cannot make the picture unreadable.

The orientation of the picture stays: EXIF, and the two kinds of texts in which programs store it instead.
"""

import struct
import zlib

from models.decoding.errors import BrokenPicture

SMALLEST_PIECE = 512
"""Bytes that the pieces of a file must have on average, since each takes time to read."""
FEW_PIECES = 10_000
"""Number of pieces that may be smaller than that."""
LARGEST_TEXT = 1_000_000
"""Bytes of the largest text or EXIF block that is kept."""
MOST_TEXTS = 16
"""Largest number of texts and EXIF blocks that are kept."""
PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
"""Types of the PNG chunks without which the pixels cannot be decoded."""

ANCILLARY = 0x20
"""Bit in the first letter of a PNG chunk's type; where it is set, a decoder may ignore the chunk."""
ORIENTATION_TEXTS = {b"Raw profile type exif", b"XML:com.adobe.xmp"}
"""Keywords of PNG texts in which programs store the orientation."""

Chunk = tuple[bytes, int, int]
"""A chunk of a PNG: type, start and end in the file (length and checksum included)."""


def without_metadata(data: bytes, kind: str) -> bytes:
    """The file with only those pieces that its pixels and orientation need; the same bytes if it has no others.

    Raises BrokenPicture if the file has more pieces than any program writes.
    """
    if kind == "PNG":
        return _join_pieces(data, *_png_pieces(data))
    if kind == "JPEG":
        return _join_pieces(data, *_jpeg_pieces(data))
    if kind in ("AVIF", "HEIF"):
        return _without_exif_item(data)
    return data


def significant_bits(data: bytes) -> int | None:
    """Bits that the samples of a PNG had before they were scaled up (the largest in its sBIT chunk), or None."""
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            return None
        if kind == b"sBIT" and _is_intact(data, start, end):
            return max(data[start + 8 : end - 4], default=None)
    return None


def _join_pieces(data: bytes, pieces: list[tuple[int, int]], rest: int) -> bytes:
    """The pieces, given by start and end, and everything from `rest` on."""
    if sum(end - start for start, end in pieces) == rest:
        return data
    view = memoryview(data)
    return b"".join([*(view[start:end] for start, end in pieces), view[rest:]])


def _check_count(count: int, place: int, kind: str) -> None:
    if count > FEW_PIECES + place // SMALLEST_PIECE:
        raise BrokenPicture(
            f"the {kind} consists of more pieces than any program writes ({count:,} so far)", "save it again"
        )


def _chunks(data: bytes) -> list[Chunk]:
    """The chunks of a PNG, up to its end or to the first that is cut off."""
    chunks: list[Chunk] = []
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            break
        chunks.append((kind, place, end))
        _check_count(len(chunks), end, "PNG")
        place = end
        if kind == b"IEND":
            break
    return chunks


def _png_pieces(data: bytes) -> tuple[list[tuple[int, int]], int]:
    chunks = _chunks(data)
    pieces = [(0, 8)]
    texts = 0
    for kind, start, end in chunks:
        if kind in PIXEL_CHUNKS or not kind[0] & ANCILLARY:
            keep = True
        elif texts >= MOST_TEXTS or not _is_intact(data, start, end):
            keep = False
        else:
            keep = kind == b"sBIT" or _may_hold_orientation(kind, data[start + 8 : end - 4])
            texts += keep
        if keep:
            pieces.append((start, end))
    return pieces, chunks[-1][2] if chunks else 8


def _is_intact(data: bytes, start: int, end: int) -> bool:
    """Whether a chunk is small enough to be read and has the right checksum."""
    if end - start > LARGEST_TEXT:
        return False
    return zlib.crc32(memoryview(data)[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _may_hold_orientation(kind: bytes, body: bytes) -> bool:
    """Whether a chunk can be read and may contain the orientation of the picture."""
    if kind == b"eXIf":
        return body.startswith((b"II*\0", b"MM\0*", b"Exif\0\0"))
    keyword, _, text = body.partition(b"\0")
    if keyword not in ORIENTATION_TEXTS:
        return False
    if kind == b"iTXt":
        compressed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    else:
        compressed, text = kind == b"zTXt", text[1:]
    return kind in (b"tEXt", b"zTXt", b"iTXt") and (not compressed or _can_be_unpacked(text))


def _can_be_unpacked(text: bytes) -> bool:
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(text, LARGEST_TEXT)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _jpeg_pieces(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Pieces to keep: tables, segments that say how to read the colours, and EXIF and XMP for the orientation."""
    pieces = [(0, 2)]
    place, count, texts = 2, 0, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if not 0xC0 <= marker <= 0xFE or 0xD0 <= marker <= 0xDA or length < 2 or end > len(data):
            break  # the pixels begin here, or something that is left to the decoder
        texts += marker == 0xE1
        if _is_needed(marker, length, texts):
            pieces.append((place, end))
        place = end
        count += 1
        _check_count(count, place, "JPEG")
    return pieces, place


def _is_needed(marker: int, length: int, texts: int) -> bool:
    """Whether a segment of a JPEG is a table, or says how to read the colours or how the picture is turned."""
    if marker == 0xE1:
        return texts <= MOST_TEXTS
    complete = {0xE0: 16, 0xEE: 14}.get(marker)  # JFIF and Adobe: Pillow fails on shorter ones, which hold nothing
    if complete is not None:
        return length >= complete
    return not 0xE0 <= marker <= 0xEF and marker != 0xFE


def _without_exif_item(data: bytes) -> bytes:
    """The file with the type of its EXIF items renamed to one that no reader knows.

    These formats store the orientation in boxes of their own.
    """
    meta = data.find(b"meta", 0, 4096)
    if meta < 4:
        return data
    end = min(meta - 4 + int.from_bytes(data[meta - 4 : meta], "big"), meta + LARGEST_TEXT)
    place = data.find(b"infe", meta, end)
    changed: bytearray | None = None
    while place > 0:
        kind = place + (14 if data[place + 4 : place + 5] == b"\3" else 12)
        if data[kind : kind + 4] == b"Exif":
            changed = bytearray(data) if changed is None else changed
            changed[kind : kind + 4] = b"skip"
        place = data.find(b"infe", place + 4, end)
    return data if changed is None else bytes(changed)
