"""A picture's bytes without what stands in its file beside the pixels, so that no damaged text can spoil a picture.

What turns the picture stays: EXIF, and the two texts in which programs write it down instead.
"""

import struct
import zlib

from models.decoding.errors import BrokenPicture

SMALLEST_PIECE = 512
"""Bytes that a file's pieces must have on average beyond the first 10,000: each is walked over one by one."""
FEW_PIECES = 10_000
LARGEST_TEXT = 1_000_000
"""Bytes of a text or EXIF block that is read."""
MOST_TEXTS = 16
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
ANCILLARY = 0x20
"""The bit of a PNG chunk's first letter that says that a decoder may do without it."""
TURNING_TEXTS = {b"Raw profile type exif", b"XML:com.adobe.xmp"}

Chunk = tuple[bytes, int, int]
"""Of a PNG: its type, where it begins and ends (length and checksum included)."""


def without_metadata(data: bytes, kind: str) -> bytes:
    """The file with the pieces only that its pixels need; the very same bytes where there are no others.

    Raises BrokenPicture for more pieces than any program writes.
    """
    if kind == "PNG":
        return _joined(data, *_png_pieces(data))
    if kind == "JPEG":
        return _joined(data, *_jpeg_pieces(data))
    if kind in ("AVIF", "HEIF"):
        return _without_exif_item(data)
    return data


def significant_bits(data: bytes) -> int | None:
    """Bits that the samples of a PNG had before they were scaled up (the largest of its sBIT chunk)."""
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            return None
        if kind == b"sBIT" and _whole(data, start, end):
            return max(data[start + 8 : end - 4], default=None)
    return None


def _joined(data: bytes, wanted: list[tuple[int, int]], rest: int) -> bytes:
    """The wanted pieces, and all from `rest` on."""
    if sum(end - start for start, end in wanted) == rest:
        return data
    view = memoryview(data)
    return b"".join([*(view[start:end] for start, end in wanted), view[rest:]])


def _bounded(count: int, place: int, kind: str) -> None:
    if count > FEW_PIECES + place // SMALLEST_PIECE:
        raise BrokenPicture(
            f"the {kind} consists of more pieces than any program writes ({count:,} so far)", "save it anew"
        )


def _chunks(data: bytes) -> list[Chunk]:
    """Of a PNG, up to its end or to the first that is cut off."""
    found: list[Chunk] = []
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            break
        found.append((kind, place, end))
        _bounded(len(found), end, "PNG")
        place = end
        if kind == b"IEND":
            break
    return found


def _png_pieces(data: bytes) -> tuple[list[tuple[int, int]], int]:
    chunks = _chunks(data)
    wanted = [(0, 8)]
    texts = 0
    for kind, start, end in chunks:
        if kind in PIXELS or not kind[0] & ANCILLARY:
            keep = True
        elif texts >= MOST_TEXTS or not _whole(data, start, end):
            keep = False
        else:
            keep = kind == b"sBIT" or _turns(kind, data[start + 8 : end - 4])
            texts += keep
        if keep:
            wanted.append((start, end))
    return wanted, chunks[-1][2] if chunks else 8


def _whole(data: bytes, start: int, end: int) -> bool:
    """A chunk of a size that is read here, with the right checksum."""
    if end - start > LARGEST_TEXT:
        return False
    return zlib.crc32(memoryview(data)[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _turns(kind: bytes, body: bytes) -> bool:
    """Whether it may say how the picture is turned, and can be read."""
    if kind == b"eXIf":
        return body.startswith((b"II*\0", b"MM\0*", b"Exif\0\0"))
    keyword, _, text = body.partition(b"\0")
    if keyword not in TURNING_TEXTS:
        return False
    if kind == b"iTXt":
        compressed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    else:
        compressed, text = kind == b"zTXt", text[1:]
    return kind in (b"tEXt", b"zTXt", b"iTXt") and (not compressed or _unpacks(text))


def _unpacks(text: bytes) -> bool:
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(text, LARGEST_TEXT)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _jpeg_pieces(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Tables and what says how to read the colours; EXIF and XMP, which may turn the picture."""
    wanted = [(0, 2)]
    place, count, texts = 2, 0, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if not 0xC0 <= marker <= 0xFE or 0xD0 <= marker <= 0xDA or length < 2 or end > len(data):
            break  # the pixels begin, or something that the decoder must judge
        texts += marker == 0xE1
        if _of_use(marker, length, texts):
            wanted.append((place, end))
        place = end
        count += 1
        _bounded(count, place, "JPEG")
    return wanted, place


def _of_use(marker: int, length: int, texts: int) -> bool:
    """Whether a JPEG's segment is a table, or says how to read the colours or how to turn the picture."""
    if marker == 0xE1:
        return texts <= MOST_TEXTS
    whole = {0xE0: 16, 0xEE: 14}.get(marker)  # JFIF and Adobe; shorter ones say nothing, and stop Pillow
    if whole is not None:
        return length >= whole
    return not 0xE0 <= marker <= 0xEF and marker != 0xFE


def _without_exif_item(data: bytes) -> bytes:
    """Its EXIF renamed to what no reader knows: these files say how they are turned in boxes of their own."""
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
