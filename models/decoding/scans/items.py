"""What the boxes of an AVIF or HEIC say about its items and tracks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.decoding.scans import coded, pieces
from models.decoding.scans.boxes import Box, boxes, number

METADATA = (b"Exif", b"mime", b"uri ")
"""Types of items that describe a picture; `mime` is that of XMP."""
TABLES = (b"stts", b"ctts", b"stsc", b"stco", b"co64", b"stss")
"""Boxes with an entry for each frame of an animation, or for several: their number follows version and flags."""


@dataclass
class Item:
    """Type of an item, its parts, the items that it is put together from, and the numbers of its properties.

    A part has a start, a size, and whether the start is counted from the box `idat` in place of the file.
    """

    kind: bytes = b""
    parts: list[tuple[int, int, bool]] = field(default_factory=list)
    made_of: list[int] = field(default_factory=list)
    properties: list[int] = field(default_factory=list)


@dataclass
class Track:
    """An animation: pixels by its own statement and by its decoder's settings; start and size of its first frame."""

    pixels: int
    configured: int = 0
    start: int = 0
    size: int = 0


@dataclass
class Contents:
    """Items by their numbers, which of them is the primary one or an alpha channel and the like, and the tracks.

    `sizes` are the pixels that properties state, `configured` those that settings of the decoder do, and `lengths` the
    bytes of properties, all by the number of the property. `metadata` are the positions of the types of EXIF and XMP
    items, `idat` that of the box `idat`, and `counts` what was counted so far.
    """

    format: str
    items: dict[int, Item] = field(default_factory=dict)
    primary: int = 0
    auxiliary: set[int] = field(default_factory=set)
    sizes: dict[int, int] = field(default_factory=dict)
    configured: dict[int, int] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    metadata: list[int] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    idat: int = 0
    wide_references: bool = False

    def count(self, what: str, more: int, most: int) -> None:
        """Count pieces of a kind; raises BrokenPicture for more than `most`."""
        self.counts[what] = total = self.counts.get(what, 0) + more
        if total > most:
            raise pieces.refuse(f"{self.format} picture", total, what, most)

    def item(self, name: int) -> Item:
        """The item of this number, a new one if there is none."""
        if name not in self.items:
            self.count("items", 1, pieces.MOST_ITEMS)
        return self.items.setdefault(name, Item())

    def pixels(self, item: Item) -> int:
        """Pixels of an item by its own statement."""
        return max((self.sizes.get(name, 0) for name in item.properties), default=0)


def contents(data: bytes, format: str) -> Contents:
    """Read the boxes of a file; raises BrokenPicture for more of anything than programs write."""
    file = Contents(format)
    for box in boxes(data, format):
        if box.kind == b"infe" and box.parent == b"iinf":
            _read_entry(data, box, file)
        elif box.top == b"meta" and box.parent == b"ipco":
            file.count("properties", 1, pieces.MOST_PROPERTIES)
            _read_property(data, box, file)
        elif box.top == b"meta" and box.parent == b"iref":
            _read_references(data, box, file)
        elif box.top == b"meta" and box.kind in OF_ITEMS:
            if box.kind in SINGLE:
                # Of two, a decoder may believe the one and this scan the other.
                file.count(f"boxes {box.kind.decode()!r}", 1, 1)
            OF_ITEMS[box.kind](data, box, file)
        elif box.top == b"moov":
            if box.kind in TABLES:
                file.count("frames", number(data, box.start + 4, 4), pieces.MOST_SAMPLES)
            OF_TRACKS.get(box.kind, _skip)(data, box, file)
    return file


def _skip(data: bytes, box: Box, file: Contents) -> None:
    """Nothing is read of other boxes."""


def _read_property(data: bytes, box: Box, file: Contents) -> None:
    name = file.counts["properties"]
    file.lengths[name] = box.end - box.start
    if box.kind == b"ispe":
        file.sizes[name] = number(data, box.start + 4, 4) * number(data, box.start + 8, 4)
    elif box.kind == b"hvcC":
        file.configured[name] = coded.hevc_configuration(data, box.start, box.end)


def _read_primary(data: bytes, box: Box, file: Contents) -> None:
    file.primary = number(data, box.start + 4, 4 if number(data, box.start, 1) else 2)


def _read_entry(data: bytes, box: Box, file: Contents) -> None:
    """An item's entry: its number, and its type. Those of tracks are read for their metadata alone."""
    width = 4 if number(data, box.start, 1) > 2 else 2
    place = box.start + 4 + width + 2
    kind = data[place : place + 4]
    if kind in METADATA:
        file.metadata.append(place)
    if box.top == b"meta":
        item = file.item(number(data, box.start + 4, width))
        file.count("entries of the same item", bool(item.kind), 0)
        item.kind = kind


def _read_locations(data: bytes, box: Box, file: Contents) -> None:
    """Start and size of the parts of each item, from the beginning of the file or of a box `idat`."""
    version, sizes = number(data, box.start, 1), number(data, box.start + 4, 2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 2 if version < 2 else 4
    place = box.start + 6
    count, place = number(data, place, wide), place + wide
    for _ in range(count):
        if place >= box.end:
            return
        item, place = file.item(number(data, place, wide)), place + wide
        file.count("locations of the same item", bool(item.parts), 0)
        inside = bool(version) and number(data, place, 2) & 15 == 1
        place += 4 if version else 2
        begin, place = number(data, place, base), place + base
        parts, place = number(data, place, 2), place + 2
        file.count("parts of items", parts + 1, pieces.FEW_PIECES)
        for _ in range(parts):
            place += index if version else 0
            start = begin + number(data, place, offset)
            size = number(data, place + offset, length) or len(data)
            place += offset + length
            item.parts.append((start, size, inside))


def _read_references(data: bytes, box: Box, file: Contents) -> None:
    """What an item is put together from (`dimg`), or what it is an alpha channel or a depth map of (`auxl`)."""
    width = 4 if file.wide_references else 2
    name, count = number(data, box.start, width), number(data, box.start + width, 2)
    file.count("references between items", count, pieces.FEW_PIECES)
    if box.kind == b"auxl":
        file.auxiliary.add(name)
    elif box.kind == b"dimg":
        first = box.start + width + 2
        file.item(name).made_of += [number(data, place, width) for place in range(first, first + width * count, width)]


def _read_uses(data: bytes, box: Box, file: Contents) -> None:
    """Which properties each item has."""
    wide, long = number(data, box.start, 1) > 0, number(data, box.start + 1, 3) & 1
    count, place = number(data, box.start + 4, 4), box.start + 8
    for _ in range(count):
        if place >= box.end:
            return
        name, place = number(data, place, 4 if wide else 2), place + (4 if wide else 2)
        uses, place = number(data, place, 1), place + 1
        file.count("uses of properties", uses + 1, pieces.MOST_PROPERTIES)
        mask, width = (0x7FFF, 2) if long else (0x7F, 1)
        file.item(name).properties += [number(data, place + width * use, width) & mask for use in range(uses)]
        place += uses * width


def _read_track(data: bytes, box: Box, file: Contents) -> None:
    """The header of a track ends with width and height, as numbers of 16 bits before and after the point."""
    file.count("tracks", 1, pieces.MOST_TRACKS)
    file.tracks.append(Track(number(data, box.end - 8, 2) * number(data, box.end - 4, 2)))


def _read_settings(data: bytes, box: Box, file: Contents) -> None:
    """The description of a track's frames, which holds a box with the settings of its decoder."""
    place = data.find(b"hvcC", box.start, box.end)
    if file.tracks and place > 0:
        file.tracks[-1].configured = coded.hevc_configuration(data, place + 4, box.end)


def _read_offsets(data: bytes, box: Box, file: Contents) -> None:
    width = 4 if box.kind == b"stco" else 8
    if file.tracks:
        file.tracks[-1].start = number(data, box.start + 8, width)


def _read_sizes(data: bytes, box: Box, file: Contents) -> None:
    file.count("frames", number(data, box.start + 8, 4), pieces.MOST_SAMPLES)
    if file.tracks:
        file.tracks[-1].size = number(data, box.start + 4, 4) or number(data, box.start + 12, 4)


def _read_reference_version(data: bytes, box: Box, file: Contents) -> None:
    file.wide_references = number(data, box.start, 1) > 0


def _read_idat(data: bytes, box: Box, file: Contents) -> None:
    file.idat = box.start


Reader = Callable[[bytes, Box, Contents], None]
SINGLE = (b"meta", b"pitm", b"iinf", b"iloc", b"idat", b"iprp", b"ipco", b"iref")
"""Boxes of which a file has one."""
OF_ITEMS: Mapping[bytes, Reader] = {
    **dict.fromkeys(SINGLE, _skip),
    b"pitm": _read_primary,
    b"iloc": _read_locations,
    b"idat": _read_idat,
    b"iref": _read_reference_version,
    b"ipma": _read_uses,
}
"""What reads each type of box about items, in the box `meta` of the file."""
OF_TRACKS: Mapping[bytes, Reader] = {
    b"tkhd": _read_track,
    b"stsd": _read_settings,
    b"stco": _read_offsets,
    b"co64": _read_offsets,
    b"stsz": _read_sizes,
}
"""What reads each type of box about animations, in the box `moov`."""
