"""BMP: one header with the size and the packing, then a palette and the pixels."""

import struct

from models.decoding.errors import BrokenPicture
from models.decoding.scans import pieces

RUN_LENGTHS = (1, 2)
"""Numbers of the compressions by run lengths, which Pillow decodes in Python."""
LONG_HEADER = 40
"""Bytes of the shortest header that names a compression."""


def trimmed(data: bytes) -> bytes:
    """The same bytes; raises BrokenPicture for pixels packed as run lengths that would take seconds to unpack."""
    if len(data) < 14 + LONG_HEADER or struct.unpack_from("<I", data, 14)[0] < LONG_HEADER:
        return data
    width, height, compression = struct.unpack_from("<ii4xI", data, 18)
    size = len(data) - min(struct.unpack_from("<I", data, 10)[0], len(data))
    if compression in RUN_LENGTHS and (size > pieces.MOST_RLE_BYTES or abs(width * height) > pieces.MOST_RLE_PIXELS):
        raise BrokenPicture(
            f"the BMP of {width} x {abs(height)} pixels is packed as run lengths (RLE), in {size:,} bytes",
            "save it without compression, or as PNG",
        )
    return data
