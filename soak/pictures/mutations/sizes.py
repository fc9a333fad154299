"""Writes other sizes into the headers of small pictures, so that decoders prepare for millions of pixels."""

import random
import struct
from collections.abc import Callable, Iterator

SMALL = ((40, 30), (16, 16), (9, 9), (8, 8), (10, 8), (64, 64), (120, 100), (200, 130), (4, 4))
"""Width and height of the small pictures (`bases`)."""
LARGE = ((4999, 4999), (5000, 5000), (5000, 4900), (1000, 1000), (2048, 3000), (16_383, 1500), (800, 25_000))
"""Width and height that are written: most are just allowed."""

Encode = Callable[[int, int], bytes]


def enlarged(draw: random.Random, format: str, data: bytes) -> bytes:
    """Return the file with one of LARGE in all places of its header where its own size stands.

    A file whose size is not found is returned as it is.
    """
    width, height = draw.choice(LARGE)
    for encode in _encodings(format):
        for small in SMALL:
            before = encode(*small)
            if before in data:
                data = data.replace(before, encode(width, height))
                break
    return data


def _encodings(format: str) -> Iterator[Encode]:
    """The ways in which a size is written in the headers of a format."""
    match format:
        case "JPEG":
            yield lambda width, height: b"\x08" + struct.pack(">HH", height, width)
        case "PNG":
            yield lambda width, height: b"IHDR" + struct.pack(">II", width, height)
        case "GIF":
            yield lambda width, height: struct.pack("<HH", width, height)
        case "BMP":
            yield lambda width, height: struct.pack("<ii", width, height)
        case "WEBP":
            yield lambda width, height: b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
            yield lambda width, height: b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14)[:3]
            yield lambda width, height: (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        case "PPM":
            yield lambda width, height: b"\n%d %d" % (width, height)
            yield lambda width, height: b"WIDTH %d\nHEIGHT %d" % (width, height)
        case "TIFF":
            for order in "<>":
                for kind, tag in ((3, "HHIHH"), (4, "HHII"), (3, "HHQHHHH"), (4, "HHQII")):  # Q: a BigTIFF
                    yield _tags(kind, order + tag)
        case _:
            yield lambda width, height: struct.pack(">II", width, height)
            yield lambda width, height: struct.pack(">II", height, width)


def _tags(kind: int, tag: str) -> Encode:
    """Width and height as two tags of a TIFF, one behind the other: number, type, count, value, and zeros."""
    zeros = (0,) * (len(tag) - 5)

    def encode(width: int, height: int) -> bytes:
        return struct.pack(tag, 256, kind, 1, width, *zeros) + struct.pack(tag, 257, kind, 1, height, *zeros)

    return encode
