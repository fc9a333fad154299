"""AVIF and HEIC (ISO/IEC 23008-12): pictures stored as items, which may be put together from others.

The decoder compares each item with all others, decodes each frame of a stored picture as a whole, and puts together
pictures from pictures that are put together themselves. So few bytes can take any amount of time.
"""

from models.decoding.errors import BrokenPicture
from models.decoding.scans import coded, pieces
from models.decoding.scans.items import METADATA, Contents, Item, contents

CODED = {"AVIF": (b"av01",), "HEIF": (b"hvc1", b"hev1")}
"""Types of items that are coded pictures."""
DERIVED = (b"grid", b"iovl", b"iden", b"tmap")
"""Types of items that are put together from others."""
NO_PICTURES = (b"", *METADATA)
"""Types of items that are no pictures; empty for a number that has no item."""


def trimmed_avif(data: bytes) -> bytes:
    """As `_trimmed`, for an AVIF."""
    return _trimmed(data, "AVIF")


def trimmed_heif(data: bytes) -> bytes:
    """As `_trimmed`, for a HEIC."""
    return _trimmed(data, "HEIF")


def _trimmed(data: bytes, format: str) -> bytes:
    """The file with the type of its EXIF and XMP items changed to one that no reader knows; `format` is AVIF or HEIF.

    Boxes of their own store the orientation, and decoders read all metadata of each picture in the file. Raises
    BrokenPicture if one picture takes many times the work of its size.
    """
    file = contents(data, format)
    _check_items(data, file)
    _check_tracks(data, file)
    if not file.metadata:
        return data
    changed = bytearray(data)
    for place in file.metadata:
        changed[place : place + 4] = b"skip"
    return bytes(changed)


def _check_items(data: bytes, file: Contents) -> None:
    """Check each picture by its own size, and alpha channels and the like by that of the primary picture."""
    size = sum(min(size, len(data)) for item in file.items.values() for _, size, _ in item.parts)
    most = pieces.MOST_SHARED * len(data)
    if size > most:
        raise pieces.refuse(f"{file.format} picture", size, "bytes in its items", most)
    size = sum(file.lengths.get(name, 0) for item in file.items.values() for name in item.properties)
    if size > most + pieces.FEW_PROPERTY_BYTES:
        raise pieces.refuse(f"{file.format} picture", size, "bytes of properties", most + pieces.FEW_PROPERTY_BYTES)
    works: dict[int, int] = {}
    primary = file.items.get(file.primary, Item())
    for name, item in file.items.items():
        if item.kind not in NO_PICTURES:
            stated = file.pixels(primary if name in file.auxiliary else item)
            _check_work(_work(data, file, name, works), stated, file.format)


def _check_tracks(data: bytes, file: Contents) -> None:
    for track in file.tracks:
        first = data[track.start : track.start + track.size]
        _check_work(_coded(first, file.format, track.configured), track.pixels, file.format)


def _check_work(work: int, stated: int, format: str) -> None:
    most = pieces.FEW_CODED + pieces.MOST_CODED * stated
    if work > most:
        raise BrokenPicture(
            f"the {format} holds a picture of {stated:,} pixels for which {work:,} are decoded", "save it again"
        )


def _work(data: bytes, file: Contents, name: int, works: dict[int, int], depth: int = 0) -> int:
    """Pixels that are decoded for an item, with those of the items inside it; `works` remembers them by item."""
    item = file.items.get(name, Item())
    if name in works or item.kind in NO_PICTURES:
        return works.get(name, 0)
    if depth > pieces.MOST_NESTED:
        raise pieces.refuse(f"{file.format} picture", depth, "pictures inside one another", pieces.MOST_NESTED)
    if item.kind in CODED[file.format]:
        starts = [(start + file.idat * inside, size) for start, size, inside in item.parts]
        picture = b"".join(data[start : start + size] for start, size in starts)
        configured = max((file.configured.get(number, 0) for number in item.properties), default=0)
        works[name] = _coded(picture, file.format, configured)
    elif item.kind in DERIVED:
        parts = sum(_work(data, file, part, works, depth + 1) for part in item.made_of)
        works[name] = file.pixels(item) + parts
    else:
        raise BrokenPicture(
            f"the {file.format} holds a picture of the type {item.kind.decode('latin-1')!r}, which is not read here",
            "save it as JPEG or PNG",
        )
    return works[name]


def _coded(picture: bytes, format: str, configured: int) -> int:
    """Pixels of all frames in a coded picture; `configured` are those of a frame by the settings of the decoder."""
    stream = coded.av1(picture) if format == "AVIF" else coded.hevc(picture)
    if stream.frames > pieces.MOST_FRAMES:
        raise BrokenPicture(f"the {format} picture holds more frames than any program writes", "save it again")
    if stream.units > pieces.FEW_PIECES:
        raise pieces.refuse(f"{format} picture", stream.units, "units in one frame", pieces.FEW_PIECES)
    return max(stream.frames, 1) * max(stream.pixels, configured)
