"""Writes AVIF and HEIC files box by box, from coded pictures that Pillow and pillow-heif wrote."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soak.pictures.hostile.segments import box, full_box

CODED = {"AVIF": b"av01", "HEIF": b"hvc1"}
BRANDS = {"AVIF": b"avif\0\0\0\0avifmif1miaf", "HEIF": b"heic\0\0\0\0mif1heic"}


@dataclass(frozen=True)
class Picture:
    """A coded picture: its bytes, and the box with the settings of its decoder."""

    coded: bytes
    settings: bytes


@dataclass(frozen=True)
class Item:
    """An item: type, bytes, width and height that it states, settings, and the items that it is put together from."""

    kind: bytes
    body: bytes
    size: tuple[int, int]
    settings: bytes = b""
    made_of: Sequence[int] = ()


def picture_of(whole: bytes, format: str) -> Picture:
    """Take the only picture out of a file that a library wrote."""
    kind = {"AVIF": b"av1C", "HEIF": b"hvcC"}[format]
    place = whole.index(kind) - 4
    settings = whole[place : place + struct.unpack_from(">I", whole, place)[0]]
    return Picture(whole[whole.index(b"mdat") + 4 :], settings)


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    """Return the bytes of an item of the type `grid` (ISO/IEC 23008-12, 6.6.2.3)."""
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)


def media_file(
    format: str, items: Mapping[int, Item], primary: int, auxiliary: Mapping[int, int] | None = None
) -> bytes:
    """Write a file with these items by their numbers; `auxiliary` maps alpha channels to their pictures."""
    entries = [
        full_box(b"infe", struct.pack(">HH", name, 0), item.kind + b"\0", version=2) for name, item in items.items()
    ]
    properties, uses = b"", b""
    for index, (name, item) in enumerate(items.items()):
        properties += full_box(b"ispe", struct.pack(">II", *item.size)) + (item.settings or box(b"free"))
        uses += struct.pack(">HBBB", name, 2, 2 * index + 1, 2 * index + 2)
    references = [
        box(b"dimg", struct.pack(">HH", name, len(item.made_of)), struct.pack(f">{len(item.made_of)}H", *item.made_of))
        for name, item in items.items()
        if item.made_of
    ]
    references += [box(b"auxl", struct.pack(">HHH", name, 1, of)) for name, of in (auxiliary or {}).items()]
    start, meta = box(b"ftyp", BRANDS[format]), b""
    for _ in range(2):  # the positions of the items are right when the size of this box is known
        place = len(start) + len(meta) + 8
        located = b""
        for name, item in items.items():
            located += struct.pack(">HHHII", name, 0, 1, place, len(item.body))
            place += len(item.body)
        meta = full_box(
            b"meta",
            full_box(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            full_box(b"pitm", struct.pack(">H", primary)),
            full_box(b"iloc", b"\x44\0" + struct.pack(">H", len(items)), located),
            full_box(b"iinf", struct.pack(">H", len(items)), *entries),
            full_box(b"iref", *references) if references else b"",
            box(b"iprp", box(b"ipco", properties), full_box(b"ipma", struct.pack(">I", len(items)), uses)),
        )
    return start + meta + box(b"mdat", *(item.body for item in items.values()))
