"""The orientation of a picture from its EXIF or XMP, read without a library: one tag, and one attribute.

Pillow reads all tags of an EXIF block, whose values may each be as large as the block. So the block is replaced by one
that holds the orientation alone.
"""

import re
import struct

HEAD = b"Exif\0\0"
"""What stands before EXIF in a JPEG, and in other files by some programs."""
TAG = 0x0112
"""Number of the orientation's tag."""
MOST_TAGS = 1_000
"""Tags of the first directory that are searched; they are sorted by number, and few numbers are smaller."""
IN_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")


def in_exif(block: bytes) -> int | None:
    """The orientation, from 1 to 8, in an EXIF block (with or without `HEAD`); None if it has none or is damaged."""
    block = block.removeprefix(HEAD)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return None
    (place,) = struct.unpack_from(order + "I", block, 4)
    if place + 2 > len(block):
        return None
    (count,) = struct.unpack_from(order + "H", block, place)
    for entry in range(place + 2, min(place + 2 + 12 * min(count, MOST_TAGS), len(block) - 11), 12):
        tag, kind, values = struct.unpack_from(order + "HHI", block, entry)
        if tag == TAG:
            value = {3: "H", 4: "I"}.get(kind)
            number = struct.unpack_from(order + value, block, entry + 8)[0] if value and values == 1 else 0
            return number if 1 <= number <= 8 else None
    return None


def in_xmp(text: bytes) -> int | None:
    """The orientation, from 1 to 8, in an XMP text; None if it has none."""
    match = IN_XMP.search(text)
    return int(match[1]) if match else None


def exif_of(orientation: int) -> bytes:
    """An EXIF block (without `HEAD`) that holds this orientation alone."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, TAG, 3, 1, orientation, 0, 0)
