"""The scan of a BMP: run lengths, which Pillow unpacks in Python, are limited."""

import struct

import pytest

from models.decoding.errors import BrokenPicture
from models.decoding.scans.bmp import trimmed


def bmp(width: int, height: int, compression: int, body: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + header + body


@pytest.mark.parametrize("compression", [1, 2])
@pytest.mark.parametrize(("width", "height", "size"), [(5000, 5000, 10), (5000, -5000, 10), (64, 64, 2_000_001)])
def test_run_lengths_are_limited(compression: int, width: int, height: int, size: int) -> None:
    """8 million pixels, in either order of the rows, and 2 MB."""
    with pytest.raises(BrokenPicture, match=rf"RLE\), in {size:,} bytes"):
        trimmed(bmp(width, height, compression, bytes(size)))


@pytest.mark.parametrize("data", [bmp(5000, 5000, 0, bytes(25_000_000)), bmp(800, 600, 1, bytes(900_000)), b"BM", b""])
def test_others_stay_as_they_are(data: bytes) -> None:
    assert trimmed(data) is data
